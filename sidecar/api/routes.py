"""One table of routes: what is dispatched is what `/v1/openapi.json` describes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel

from sidecar.wire import Answer, Headers


@dataclass(frozen=True, slots=True)
class Asked:
    """A control call, taken apart."""

    params: Mapping[str, str]
    """What stands in the path for `{broker}`."""
    query: Mapping[str, Sequence[str]]
    body: Any = None
    """An instance of the route's `takes`."""
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the control API."""

    method: str
    path: str
    """Segments in braces are parameters."""
    summary: str
    handler: Callable[[Asked], Answer | Awaitable[Answer]]
    tells: Any
    """The type of a successful answer."""
    takes: type[BaseModel] | None = None
    media: str = "application/json"
    statuses: Sequence[int] = (200,)
    """Of all its successful answers."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Repeatable query parameters and what they mean."""

    @property
    def params(self) -> list[str]:
        """The names of the path's parameters."""
        return [segment[1:-1] for segment in self.path.split("/") if segment.startswith("{")]

    def match(self, path: str) -> dict[str, str] | None:
        """The path's parameters, or None when it is another route's."""
        mine, theirs = self.path.split("/"), path.split("/")
        if len(mine) != len(theirs):
            return None
        params: dict[str, str] = {}
        for wanted, found in zip(mine, theirs, strict=True):
            if wanted.startswith("{"):
                params[wanted[1:-1]] = found
            elif wanted != found:
                return None
        return params


def find(routes: Sequence[Route], path: str) -> tuple[dict[str, Route], dict[str, str]]:
    """The routes under a path by method, and the path's parameters; both empty where there is nothing."""
    found: dict[str, Route] = {}
    params: dict[str, str] = {}
    for route in routes:
        matched = route.match(path)
        # A path in plain words comes before one with parameters, whichever stands first.
        if matched is not None and (route.method not in found or not matched):
            found[route.method] = route
            params = matched
    return found, params


def parse_query(query: str) -> dict[str, list[str]]:
    """The parameters of a query; empty values are left out."""
    return parse_qs(query)
