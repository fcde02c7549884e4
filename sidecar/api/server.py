"""The listener: aiohttp's HTTP protocol without its application, router or response decoration."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from sidecar.api.errors import BodyMalformedError, BodyTooLargeError, place_of
from sidecar.api.exchange import Handler, Incoming, Listener, Outgoing
from sidecar.api.problem import problem
from sidecar.api.reply import Reply
from sidecar.api.sockets import peer_uid

MAX_LINE_BYTES: Final = 64 * 1024
"""Longest request line and header: five batched orders in one signed query take several KiB."""
LINGER_SECONDS: Final = 2.0
"""How long a body that nobody reads is swallowed, so that its sender gets to read the refusal."""
_CLOSING_SECONDS: Final = 1.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_log = logging.getLogger("sidecar.api")


class Connection(web.RequestHandler):
    """One bot's connection."""

    def __init__(self, server: "Server", **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self.uid: int | None = None
        self.unanswered = False
        """Whether bytes have come in since the last answer: a request may be on its way."""
        self.on_lost: Callable[[], object] | None = None
        """Called when the bot hangs up; set while a stream is relayed."""
        self.reading: StreamReader | None = None
        """The body that is being read."""
        self.broken = False
        """Whether the framing has been lost, so that nothing more can be read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look who connects."""
        if self._server.asks_who:
            self.uid = peer_uid(transport.get_extra_info("socket"))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and notice when they break the body that is being read."""
        self.unanswered = True
        super().data_received(data)
        if self.reading is not None:
            self.fail_if_broken(self.reading)

    def fail_if_broken(self, body: StreamReader) -> None:
        """Fail a body that can never end.

        aiohttp queues what its parser rejects behind the request in progress, whose body would then be awaited for
        ever. Anything queued behind a body without an end is such a rejection.
        """
        if self._messages and not body.is_eof():
            self.broken = True
            body.set_exception(web.RequestPayloadError("broken framing"))
            body.feed_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell the stream, and whoever waits for the end, that nobody listens any more."""
        super().connection_lost(exc)
        self.unanswered = False
        self._server.settled()
        if self.on_lost is not None:
            self.on_lost()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what could not be parsed, and what failed here, without repeating a byte of the request.

        aiohttp's own `message` quotes the offending line, which may hold a key.
        """
        del message
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("the answer cannot be completed")
        return Reply(self._server.failed(status, exc), request, close=True)


class Server(web.Server):
    """Serves one listener; call it from the event loop that it lives on.

    `max_body` is the largest request body in bytes. `asks_who` reads the user id of each connecting process, which
    only a Unix socket knows. `on_malformed` is called for each request that could not be parsed.
    """

    def __init__(
        self,
        listener: Listener,
        handler: Handler,
        *,
        max_body: int,
        asks_who: bool = False,
        on_malformed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(self._serve, request_factory=self._request)
        self.asks_who = asks_who
        self._listener = listener
        self._handler = handler
        self._max_body = max_body
        self._on_malformed = on_malformed
        self._stopping = False
        self._busy: dict[web.RequestHandler, asyncio.Task[None]] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,  # a compressed body goes to the broker as it came
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            lingering_time=LINGER_SECONDS,
            logger=_log,
        )

    def failed(self, status: int, exc: BaseException | None) -> Outgoing:
        """What to answer when a request could not be parsed (400), or when the sidecar itself failed (500)."""
        if status == 400:  # noqa: PLR2004 - aiohttp's status of everything that its parser rejects
            self._on_malformed()
            return Outgoing(problem(400, "not sent: the request is not valid HTTP/1.1, or its head is too large"))
        where = None if exc is None else place_of(exc)
        _log.error("a request failed inside the sidecar: %s", type(exc).__name__, exc_info=where)
        return Outgoing(problem(500, "The sidecar failed on this request; its log tells where."))

    def wind_down(self) -> None:
        """End the streams, and from now on each connection after its next answer."""
        self._stopping = True
        for stream in self._streams:
            stream.cancel()

    def close_idle(self) -> None:
        """Close the connections on which nothing happens; only some time after `wind_down`.

        A bot that keeps its connection does not know of the stop before it has been answered once more, and a request
        that meets a closing connection looks to the bot as if it might have been executed.
        """
        for connection in self._own_connections():
            if connection not in self._busy and not connection.unanswered:
                connection.force_close()

    async def drained(self) -> None:
        """Return when no request is being read or answered any more; only after `close_idle`."""
        while self._busy or any(connection.unanswered for connection in self._own_connections()):
            self._settled.clear()
            await self._settled.wait()

    def settled(self) -> None:
        """A request has been answered, or its connection has gone."""
        self._settled.set()

    async def close(self) -> None:
        """Cancel what is still being answered and close every connection."""
        for task in self._busy.values():
            task.cancel()
        await self.shutdown(_CLOSING_SECONDS)

    def _own_connections(self) -> list[Connection]:
        return [connection for connection in self.connections if isinstance(connection, Connection)]

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._max_body)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        task = asyncio.current_task()
        if not isinstance(connection, Connection) or task is None:
            raise TypeError("a request must come from this server's own connection")
        self._busy[connection] = task
        try:
            incoming = Incoming(
                request.method,
                request.raw_path,
                request.raw_headers,
                self._listener,
                connection.uid,
                partial(self._read, request, connection),
                lambda: request.transport is None,
            )
            outgoing = await self._handler(incoming)
            # What follows an unread body on this connection could be mistaken for another request.
            reply = Reply(outgoing, request, close=self._stopping or connection.broken or request.can_read_body)
            if outgoing.answer.chunks is not None:
                await self._relay(request, connection, reply, outgoing.answer.chunks)
            return reply
        finally:
            del self._busy[connection]
            connection.unanswered = False
            self.settled()

    async def _read(self, request: web.BaseRequest, connection: Connection) -> bytes:
        if not request.body_exists:
            return b""
        length = request.content_length
        if length is not None and length > self._max_body:
            raise BodyTooLargeError(f"the body has {length} bytes")
        if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0  # nothing of the answer itself has been written yet
        connection.fail_if_broken(request.content)
        connection.reading = request.content
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise BodyTooLargeError("the body grew too large") from None
        except web.RequestPayloadError:
            raise BodyMalformedError("the body's framing is broken") from None
        finally:
            connection.reading = None

    async def _relay(
        self, request: web.BaseRequest, connection: Connection, reply: Reply, chunks: AsyncIterator[bytes]
    ) -> None:
        """Relay a stream in a task of its own, so that a bot that hangs up, or the stop, can end it in its silence."""
        relay = asyncio.create_task(reply.relay(request, chunks))
        self._streams.add(relay)
        connection.on_lost = relay.cancel
        if self._stopping:
            relay.cancel()
        try:
            await asyncio.wait({relay})
        finally:
            connection.on_lost = None
            self._streams.discard(relay)
            relay.cancel()
            await asyncio.wait({relay})
            await _close(chunks)
        if (relay.cancelled() or relay.exception() is not None) and request.transport is not None:
            # The stream was cut: a clean end would tell the bot that the broker had finished.
            request.transport.abort()


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)  # every async generator has it; a bare iterator need not
    if close is not None:
        await close()
