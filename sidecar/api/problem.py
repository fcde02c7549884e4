"""Problem details (RFC 9457): how the sidecar says no where no broker's envelope applies."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from sidecar.store import StoreError
from sidecar.wire import Answer, Headers

_PROBLEM: Headers = ((b"Content-Type", b"application/problem+json"),)


class RefusedError(Exception):
    """Raised when a control call names something that is not there, or says something that makes no sense."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def problem(status: int, detail: str, *, errors: list[dict[str, str]] | None = None) -> Answer:
    """A problem document. `errors` names the fields at fault, each by a JSON `pointer` and a `detail`."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        document["errors"] = errors
    return Answer(status, _PROBLEM, json.dumps(document).encode())


@contextmanager
def refusing(statuses: Mapping[type[Exception], HTTPStatus]) -> Iterator[None]:
    """Tell a room's errors in its own words, each with its status, and the state file's as one. Raises RefusedError."""
    try:
        yield
    except StoreError as error:
        told = problem(HTTPStatus.SERVICE_UNAVAILABLE, "the state file cannot be read; see the log")
        raise RefusedError(told) from error
    except tuple(statuses) as error:
        raise RefusedError(problem(statuses[type(error)], str(error))) from error
