"""Successful answers of the control API."""

from http import HTTPStatus
from typing import Any, Final

from pydantic_core import to_json

from sidecar.wire import Answer, Headers

JSON: Final[Headers] = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))


def as_json(told: Any, status: HTTPStatus = HTTPStatus.OK, *, brief: bool = False, more: Headers = ()) -> Answer:
    """What is told, as JSON; with `brief`, what is None is left out. `more`: further headers."""
    body = to_json(told, exclude_none=brief, inf_nan_mode="null")
    return Answer(status, (*JSON, *more), body, status.phrase)


def begun(told: Any, path: str, *, settled: bool) -> Answer:
    """What was taken, and the path under which it is asked for: 202, or 200 when there is nothing to wait for."""
    status = HTTPStatus.OK if settled else HTTPStatus.ACCEPTED
    return as_json(told, status, brief=True, more=((b"Location", path.encode()),))
