"""Says what a Kubernetes API server, and the Prometheus operator's objects in it, would not take."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from tests.helm.chart import Object

VERSIONS = tuple(f"1.{minor}" for minor in range(29, 38))
"""Those that know native sidecars."""


def complaint(one: Object, version: str) -> str:
    """What is wrong with an object, unknown keys included; empty when nothing is."""
    return _complaint(json.dumps(one, sort_keys=True), version)


@cache
def _complaint(text: str, version: str) -> str:
    # Most objects are the same in most cases, and each look at the schemas takes a while.
    one: Object = json.loads(text)
    if "monitoring.coreos.com" in one["apiVersion"]:
        return _operator_complaint(one)
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as wrong:
        return _words(one, wrong)
    except kubernetes_validate.SchemaNotFoundError as wrong:
        return f"Kubernetes {version} does not know {one['kind']} {one['apiVersion']}: {wrong}"
    return ""


def _operator_complaint(one: Object) -> str:
    schemas = _operator()
    if one["apiVersion"] != schemas["versions"].get(one["kind"]):
        return f"the operator does not know {one['kind']} {one['apiVersion']}"
    wanted = {"metadata": "metadata", "spec": one["kind"]}
    whole = {
        "$defs": schemas["$defs"],
        "type": "object",
        "additionalProperties": False,
        "required": list(wanted),
        "properties": {
            "apiVersion": {},
            "kind": {},
            **{key: {"$ref": f"#/$defs/{name}"} for key, name in wanted.items()},
        },
    }
    found = [_words(one, wrong) for wrong in Draft202012Validator(whole).iter_errors(one)]
    return "; ".join(found)


def _words(one: Object, wrong: Any) -> str:
    place = ".".join(str(part) for part in wrong.absolute_path)
    return f"{one['kind']} {one['metadata']['name']}: {place}: {wrong.message[:300]}"


@cache
def _operator() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("operator.yaml").read_text(encoding="utf-8"))
    return loaded
