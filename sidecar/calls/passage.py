"""One passage over a pooled connection: knows whether anything was written, and sees that nothing is written twice.

aiohttp offers two doors for this, both public: a request class, which learns the moment of writing, and a middleware,
which stands between a broken connection and aiohttp's own habit of repeating what it takes for idempotent.
"""

import asyncio
import select
from collections.abc import MutableSet, Sequence
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

_STIRRED: Final = select.POLLIN | select.POLLHUP | select.POLLERR


class Lost(Exception):
    """Raised when an attempt failed in aiohttp; its cause is aiohttp's own failure."""


class Stale(Exception):
    """Raised when a kept-alive connection has ended, or has spoken unasked, before anything was written into it."""


class Passage:
    """The way of one request to the broker and of its answer's head back: a middleware of aiohttp, for a single call.

    `answer_seconds` run from the first byte written and shorten `timer`; `used` holds the connections that have carried
    a request before.
    """

    __slots__ = ("_answer_seconds", "_headers", "_protocol", "_timer", "_used", "written")

    def __init__(
        self,
        headers: Sequence[tuple[str, str]],
        timer: asyncio.Timeout,
        answer_seconds: float,
        used: MutableSet[asyncio.BaseProtocol],
    ) -> None:
        self._headers = headers
        self._timer = timer
        self._answer_seconds = answer_seconds
        self._used = used
        self._protocol: ResponseHandler | None = None
        self.written = False
        """Whether any byte of the request can have left."""

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request over a connection that is still good.

        Raises:
            Lost: when connecting failed, or the connection broke before the answer's head.
        """
        # Added here one by one: on the way through the session, of two headers that differ in case only one survives.
        request.headers.extend(self._headers)
        if isinstance(request, PassageRequest):
            request.passage = self
        while True:  # ends: each stale connection has left the pool, and a new one is never stale
            try:
                return await handler(request)
            except Stale:
                continue
            except aiohttp.ClientError as failure:
                # aiohttp repeats PUT and DELETE when a kept-alive connection drops. Here a PUT amends an order and a
                # DELETE cancels one: whether to resend is the pipeline's decision. It does not know this exception.
                raise Lost from failure

    def depart(self, connection: Connection) -> None:
        """Note that the request is about to be written.

        Raises:
            Stale: when the connection has served before and must not be used any more.
            ClientConnectionResetError: when a new connection was closed at once.
        """
        protocol = connection.protocol
        if protocol is None or protocol.transport is None or protocol.transport.is_closing():
            # A new one: the pool hands out no old one that is known to be closed.
            raise aiohttp.ClientConnectionResetError("the broker closed a new connection")
        if protocol in self._used and (protocol.should_close or _stirred(protocol.transport)):
            raise Stale
        self._used.add(protocol)
        self._shorten()
        self._protocol = protocol
        self.written = True

    @property
    def was_reset(self) -> bool:
        """Whether the connection was torn down instead of closed in good order."""
        return self._protocol is not None and isinstance(self._protocol.exception(), OSError)

    def _shorten(self) -> None:
        ends = asyncio.get_running_loop().time() + self._answer_seconds
        when = self._timer.when()
        if when is None or ends < when:
            self._timer.reschedule(ends)


class PassageRequest(aiohttp.ClientRequest):
    """A request that tells its passage when it is about to be written."""

    passage: Passage

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request, unless the connection is stale."""
        self.passage.depart(conn)
        try:
            return await super().send(conn)
        except ValueError:
            # A head that cannot be written, such as one with a line break in it, is refused before its first byte.
            self.passage.written = False
            raise


def _stirred(transport: asyncio.BaseTransport) -> bool:
    """Whether bytes or the end lie unread in the kernel: on an idle connection each means that it is over.

    The event loop may be a turn behind. Without this look an order would be written into a connection that is known to
    be closed, and its outcome would be unknown.
    """
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _STIRRED)
    return bool(poll.poll(0))
