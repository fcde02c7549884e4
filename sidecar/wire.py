"""HTTP as the rooms see it: bytes, in the order and casing in which they came.

No HTTP library's type appears here, so that the listener and the transport can be exchanged without anyone noticing.
"""

import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

Headers = tuple[tuple[bytes, bytes], ...]
"""Raw header pairs, duplicates and casing kept."""


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a header; `name` in lower case."""
    for key, value in headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return None


@dataclass(slots=True, repr=False)
class Request:
    """What goes to the broker: the method and the bytes that a signature may cover. It has no telling `repr`."""

    method: str
    target: str
    """Path and query exactly as the bot wrote them, without the broker's prefix."""
    headers: Headers
    body: bytes = b""
    path: str = field(init=False)
    query: str = field(init=False)

    def __post_init__(self) -> None:
        self.path, _, self.query = self.target.partition("?")


@dataclass(slots=True, repr=False)
class Answer:
    """What goes back to the bot. It has no telling `repr`: it may hold a listen key or an account's balance."""

    status: int
    headers: Headers
    body: bytes = b""
    reason: str = ""
    chunks: AsyncIterator[bytes] | None = None
    """A stream's bytes as they arrive; `body` is empty then."""

    def content(self, limit: int = 8 * 1024 * 1024) -> bytes:
        """The body with `gzip` or `deflate` undone, for reading what it says; at most `limit` bytes of it.

        An undecodable body reads as empty: the bot still receives the raw bytes.
        """
        encoding = header(self.headers, b"content-encoding")
        if not encoding or not self.body:
            return self.body
        if encoding.strip().lower() not in {b"gzip", b"x-gzip", b"deflate"}:
            return b""
        try:
            return zlib.decompressobj(wbits=47).decompress(self.body, limit)
        except zlib.error:
            return b""
