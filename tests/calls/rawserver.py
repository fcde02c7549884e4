"""A server below HTTP: it records every byte and misbehaves exactly as its script says."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from sidecar.calls.transport import Transport
from sidecar.config.model import Broker, Timeouts

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection:
    """One accepted connection, as a script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: "RawServer") -> None:
        self._reader = reader
        self._writer = writer
        self._server = server

    async def head(self) -> bytes:
        """Read one request's head; `IncompleteReadError` when the client has gone."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        self._server.requests.append(head)
        self._server.asked.set()
        return head

    async def request(self) -> bytes:
        """Read one whole request and record it."""
        whole = await self.head()
        place = len(self._server.requests) - 1
        whole += await self._reader.readexactly(_length(whole))
        self._server.requests[place] = whole
        return whole

    async def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._writer.write(data)
        await self._writer.drain()

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def close(self) -> None:
        """End the connection in good order."""
        self._writer.close()

    async def gone(self) -> bytes:
        """Read until the client closes; what it still sent."""
        try:
            return await self._reader.read()
        except ConnectionResetError:
            return b""


Script = Callable[[Connection], Awaitable[None]]


class RawServer:
    """Runs a script for each connection: the n-th for the n-th connection, the last ever after."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[bytes] = []
        """Every request of every connection, in the order in which they came."""
        self.asked = asyncio.Event()
        """Set once a first request has come."""
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    def hang_up(self) -> None:
        """End every connection at once: until the event loop's next turn the client's side cannot have heard of it."""
        for writer in self._writers:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as twin:
                twin.shutdown(socket.SHUT_WR)

    def blurt(self, data: bytes) -> None:
        """Send bytes on every connection, as suddenly as `hang_up`."""
        for writer in self._writers:
            os.write(writer.get_extra_info("socket").fileno(), data)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        self._writers.append(writer)
        task = asyncio.create_task(self._play(script, reader, writer))
        self._tasks.add(task)

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Connection(reader, writer, self))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left; what it sent is on record
        finally:
            writer.transport.abort()


def ok(body: bytes = b"{}", *headers: bytes) -> bytes:
    """A plain 200 with its length."""
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body), b"", body))


def answering(*answers: bytes) -> Script:
    """A script that answers each request with the next answer, the last ever after."""

    async def script(connection: Connection) -> None:
        for turn in range(1_000_000):
            await connection.request()
            await connection.write(answers[min(turn, len(answers) - 1)])

    return script


def ending(after: bytes, *, reset: bool) -> Script:
    """A script that reads a request, writes `after`, and ends the connection."""

    async def script(connection: Connection) -> None:
        await connection.request()
        if after:
            await connection.write(after)
            await asyncio.sleep(0.02)  # lets the client read: a reset would throw away what it has not read yet
        await (connection.reset() if reset else connection.close())

    return script


async def silent(connection: Connection) -> None:
    """A script that reads a request and never answers."""
    await connection.request()
    await connection.gone()


@asynccontextmanager
async def opened(
    server: RawServer | str, *, timeouts: dict[str, float] | None = None, **settings: Any
) -> AsyncIterator[Transport]:
    """A transport to a server, or to a URL, opened and closed again."""
    url = server if isinstance(server, str) else f"http://127.0.0.1:{server.port}"
    broker = Broker(profile="generic", base_url=url, timeouts=Timeouts(**(timeouts or {})), **settings)
    transport = Transport(broker)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
