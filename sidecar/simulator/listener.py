"""A listening socket that can close for a while and come back on the same port."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from sidecar.clock import Cancellable, Clock


class Listener:
    """The socket of a simulator; make it on the event loop that serves it."""

    def __init__(self, server: web.Server, clock: Clock, host: str, port: int) -> None:
        self._server = server
        self._clock = clock
        self._host = host
        # Bound but never listening: it keeps the port ours while the listener is closed, and connects are refused.
        self._placeholder = _reserve(host, port)
        self._port = int(self._placeholder.getsockname()[1])
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._listening: asyncio.Server | None = None
        self._busy: Counter[asyncio.BaseTransport | None] = Counter()
        self._reopening: Cancellable | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL under which the simulator answers, without a slash at its end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def closed(self) -> bool:
        """Whether connects are refused at this moment."""
        return self._listening is None

    async def open(self) -> None:
        """Begin to listen; harmless where it already does."""
        if self._listening is None:
            self._listening = await self._loop.create_server(self._server, self._host, self._port, reuse_port=True)

    def close(self) -> None:
        """Stop listening for good and give the port back."""
        self._forget_reopening()
        self._stop_listening()
        self._placeholder.close()

    def refuse(self, seconds: float) -> None:
        """Refuse connects for `seconds`, and close the connections that wait for no answer.

        Safe from every thread; connects are refused when it returns.
        """
        if threading.get_ident() == self._thread:
            self._refuse(seconds)
            return
        done = threading.Event()

        def refuse_here() -> None:
            self._refuse(seconds)
            done.set()

        self._loop.call_soon_threadsafe(refuse_here)
        done.wait()

    @contextmanager
    def busy(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Mark a connection as one that waits for its answer."""
        self._busy[transport] += 1
        try:
            yield
        finally:
            self._busy[transport] -= 1
            if self._busy[transport] == 0:
                del self._busy[transport]

    def _refuse(self, seconds: float) -> None:
        self._forget_reopening()
        self._stop_listening()
        for connection in self._server.connections:
            if connection.transport is not None and connection.transport not in self._busy:
                connection.transport.abort()
        self._reopening = self._clock.call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        self._opening = self._loop.create_task(self.open())

    def _forget_reopening(self) -> None:
        for promise in (self._reopening, self._opening):
            if promise is not None:
                promise.cancel()
        self._reopening = self._opening = None

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _reserve(host: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((host, port))
    except BaseException:
        reserved.close()
        raise
    return reserved
