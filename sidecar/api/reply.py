"""Writes an answer's bytes as they are.

aiohttp's own responses add `Server`, `Date` and `Content-Type` and pass every header through a decoded dictionary. An
answer of a broker has its headers already: `Reply` writes them as bytes through the request's public writer, and leaves
everything else about the connection to aiohttp.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from aiohttp import HttpVersion10, web
from aiohttp.abc import AbstractStreamWriter

from sidecar.api.exchange import Outgoing
from sidecar.api.headers import HOP_BY_HOP, named_by_connection
from sidecar.wire import Answer, header

_SKIPPED: Final = HOP_BY_HOP | {b"content-length", b"sidecar-fate"}
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_JOIN_BELOW_BYTES: Final = 64 * 1024
"""Up to here head and body are joined, to leave in one system call; beyond, the copy would cost more than the call."""


class Reply(web.StreamResponse):
    """One answer on its way to the bot. `close` ends the connection after it."""

    def __init__(self, outgoing: Outgoing, request: web.BaseRequest, *, close: bool) -> None:
        super().__init__(status=outgoing.answer.status)
        self._answer = outgoing.answer
        self._bodiless = request.method == "HEAD" or outgoing.answer.status in _BODILESS
        old = request.version <= HttpVersion10
        streaming = outgoing.answer.chunks is not None
        self._chunked_stream = streaming and not old and not self._bodiless
        # To HTTP/1.0 a stream's end is the connection's end.
        self._stays_open = request.keep_alive and not close and not (streaming and old)
        self._head = head(
            outgoing,
            method=request.method,
            connection=_connection(stays_open=self._stays_open, old=old),
            chunked=self._chunked_stream,
        )
        self._out: AbstractStreamWriter | None = None
        self._ended = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection takes another request after this answer."""
        return self._stays_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Take the request's writer; a stream's head leaves at once."""
        if self._out is None:
            self._out = request.writer
            if self._answer.chunks is not None:
                await self._out.write(self._head)
                if self._chunked_stream:
                    self._out.enable_chunking()
        return self._out

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the whole answer, or a stream's end."""
        if self._ended or self._out is None:
            return
        self._ended = True
        if self._answer.chunks is not None:
            await self._out.write_eof(data)
            return
        body = b"" if self._bodiless else self._answer.body
        if len(body) < _JOIN_BELOW_BYTES:
            await self._out.write_eof(self._head + body)
        else:
            await self._out.write(self._head)
            await self._out.write_eof(body)

    async def relay(self, request: web.BaseRequest, chunks: AsyncIterator[bytes]) -> None:
        """Write a stream's chunks as they arrive."""
        out = await self.prepare(request)
        if not self._bodiless:
            async for chunk in chunks:
                await out.write(chunk)
        await self.write_eof()


def head(outgoing: Outgoing, *, method: str, connection: bytes, chunked: bool) -> bytes:
    """The status line and headers, up to and with the empty line."""
    answer = outgoing.answer
    reason = answer.reason.encode("latin-1", "replace") or _PHRASES.get(answer.status, b"")
    lines = [b"HTTP/1.1 %d %s" % (answer.status, reason)]
    length = _length(answer, method)
    named: frozenset[bytes] = frozenset()
    for name, value in answer.headers:
        lower = name.lower()
        if lower not in _SKIPPED:
            lines.append(name + b": " + value)
        elif lower == b"content-length" and length:
            lines.append(name + b": " + length)
            length = b""
        elif lower == b"connection":
            named |= named_by_connection(value)
    if named:
        lines[1:] = [line for line in lines[1:] if line.partition(b":")[0].lower() not in named]
    if length:
        lines.append(b"Content-Length: " + length)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    lines.extend(name + b": " + value for name, value in outgoing.extra)
    if connection:
        lines.append(b"Connection: " + connection)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def _length(answer: Answer, method: str) -> bytes:
    if answer.chunks is not None or answer.status == HTTPStatus.NO_CONTENT:
        return b""
    if method == "HEAD" or answer.status == HTTPStatus.NOT_MODIFIED:
        # There it tells the length that a GET would have, which only the broker knows.
        return header(answer.headers, b"content-length") or (b"%d" % len(answer.body) if answer.body else b"")
    return b"%d" % len(answer.body)


def _connection(*, stays_open: bool, old: bool) -> bytes:
    if not stays_open:
        return b"close"
    return b"keep-alive" if old else b""
