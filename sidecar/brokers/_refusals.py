"""What every profile's refusals share."""

import json
import math
from collections.abc import Mapping

from sidecar.brokers.profile import Refusal
from sidecar.wire import Answer
from sidecar.words import RefusalKind

_NATURE = {
    RefusalKind.BAD_ANSWER: "nothing was changed",
    RefusalKind.UNKNOWN: "sent, may have been executed",
}


def sentence(refusal: Refusal) -> str:
    """The refusal's message, and after it who speaks, whether anything was sent, and the kind to search logs for."""
    return f"{refusal.message} (broker-sidecar: {_NATURE.get(refusal.kind, 'not sent')}, {refusal.kind})"


def envelope(
    status: int, reason: str, payload: Mapping[str, object], refusal: Refusal, media_type: bytes = b"application/json"
) -> Answer:
    """A JSON answer; it carries `Retry-After` where asking again makes sense.

    Never on `UNKNOWN`: client libraries take the header as leave to send again, which could double an order.
    """
    headers = [(b"Content-Type", media_type)]
    if refusal.retry_after is not None and refusal.kind is not RefusalKind.UNKNOWN:
        headers.append((b"Retry-After", b"%d" % max(0, math.ceil(refusal.retry_after))))
    return Answer(status, tuple(headers), json.dumps(payload).encode(), reason)
