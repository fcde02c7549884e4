"""The control API's description, made from its own routes."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from sidecar import __version__
from sidecar.api.models import Problem
from sidecar.api.routes import Route

_REF = "#/components/schemas/{model}"
_DONE: Final = {200: "Done.", 202: "Begun."}


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    wanted: dict[tuple[str, JsonSchemaMode], TypeAdapter[Any]] = {("problem", "serialization"): TypeAdapter(Problem)}
    for route in routes:
        wanted[_tells(route)] = TypeAdapter(route.tells)
        if route.takes is not None:
            wanted[_takes(route)] = TypeAdapter(route.takes)
    schemas, definitions = TypeAdapter.json_schemas(
        [(*key, adapter) for key, adapter in wanted.items()], ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "broker-sidecar control API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # Only where listen.token_file is set: an empty requirement means that none is needed.
        "security": [{}, {"token": []}],
    }


def _operation(route: Route, schemas: dict[tuple[str, JsonSchemaMode], Any]) -> dict[str, Any]:
    refusal = {"application/problem+json": {"schema": schemas["problem", "serialization"]}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _name(route),
        "parameters": [_in_path(name) for name in route.params] + [_in_query(*item) for item in route.query.items()],
        "responses": {
            **{
                str(status): {
                    "description": _DONE[status],
                    "content": {route.media: {"schema": schemas[_tells(route)]}},
                }
                for status in route.statuses
            },
            "default": {"description": "Refused.", "content": refusal},
        },
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[_takes(route)]}},
        }
    return operation


def _tells(route: Route) -> tuple[str, JsonSchemaMode]:
    return f"{_name(route)}:tells", "serialization"


def _takes(route: Route) -> tuple[str, JsonSchemaMode]:
    return f"{_name(route)}:takes", "validation"


def _name(route: Route) -> str:
    parts = [part.strip("{}").replace(".", "_") for part in route.path.removeprefix("/v1/").split("/")]
    return "_".join([route.method.lower(), *parts])


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(name: str, meaning: str) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string"}}
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema, "explode": True}
