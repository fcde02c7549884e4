"""Which headers of a bot's request go on to the broker, and which stay here."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sidecar.wire import Headers

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers that speak of one connection only (RFC 9110, section 7.6.1)."""

_STAY: Final = HOP_BY_HOP | {
    # The transport sets these two for its own connection and body.
    b"host",
    b"content-length",
    # Answered here: the body is already on its way to the sidecar when the broker is called.
    b"expect",
    # The bot's trace is nobody's business at the broker.
    b"traceparent",
    b"tracestate",
    b"baggage",
}
_STAY_PREFIXES: Final = (b"sidecar-", b"proxy-")
_BROWSER_PREFIX: Final = b"sec-fetch-"
_READABLE: Final = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})

SEC_FETCH: Final = b"sec-fetch"
"""The mark that stands for any `Sec-Fetch-…` header."""


@dataclass(slots=True)
class Sorted:
    """A request's headers, sorted into what goes on and what was for the sidecar."""

    forward: Headers
    marks: dict[bytes, bytes]
    """By lower-case name; the values of repeated headers are joined with commas."""


def sort(raw: Iterable[tuple[bytes, bytes]]) -> Sorted:
    """Sort a request's headers; order, casing and duplicates of what goes on are kept."""
    forward: list[tuple[bytes, bytes]] = []
    marks: dict[bytes, bytes] = {}
    for pair in raw:
        name = pair[0].lower()
        if name in _STAY or name.startswith(_STAY_PREFIXES):
            marks[name] = marks[name] + b"," + pair[1] if name in marks else pair[1]
            continue
        if name == b"accept-encoding":
            forward.append((pair[0], readable_encodings(pair[1])))
            continue
        if name == b"origin":
            marks[name] = pair[1]
        elif name.startswith(_BROWSER_PREFIX):
            marks[SEC_FETCH] = pair[1]
        forward.append(pair)
    named = named_by_connection(marks.get(b"connection", b""))
    if named:
        forward = [pair for pair in forward if pair[0].lower() not in named]
    return Sorted(tuple(forward), marks)


@lru_cache(maxsize=64)
def named_by_connection(value: bytes) -> frozenset[bytes]:
    """The headers, in lower case, that a `Connection` value claims for this connection alone."""
    return frozenset(token.strip().lower() for token in value.split(b",")) - {b"", b"close", b"keep-alive"}


@lru_cache(maxsize=64)
def readable_encodings(value: bytes) -> bytes:
    """An `Accept-Encoding` value without the encodings that the sidecar cannot undo.

    The sidecar must read an answer to know whether an order was executed, so that a broker must not answer in `br` or
    `zstd`, nor in whatever `*` would permit. What stays keeps its order and weights; a value that needs no change is
    returned byte for byte.
    """
    tokens = value.split(b",")
    kept = [token for token in tokens if token.partition(b";")[0].strip().lower() in _READABLE]
    if len(kept) == len(tokens):
        return value
    return b",".join(kept).strip() or b"identity"
