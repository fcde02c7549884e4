"""Problem details (RFC 9457): how the sidecar says no where no broker's envelope applies."""

import json
from http import HTTPStatus

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
