"""How an answer is spoilt on its way: what an HTTP library would never do by itself."""

import asyncio
import math
import socket
import struct
from http import HTTPStatus

from aiohttp import web

from sidecar.clock import Clock

_LOOK_AGAIN_SECONDS = 0.05
_PIECES = 20


def reset(request: web.Request) -> None:
    """Reset the connection of `request`: its client sees ECONNRESET and no byte of an answer."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # Lingering for zero seconds makes the kernel send RST; an abort alone would say goodbye with FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def keep_silent(request: web.Request, clock: Clock) -> None:
    """Leave the connection open without an answer, until the client gives up."""
    while request.transport is not None and not request.transport.is_closing():
        await clock.sleep(_LOOK_AGAIN_SECONDS)


async def trickle(
    request: web.Request, response: web.Response, body: bytes, seconds: float, clock: Clock
) -> web.StreamResponse:
    """Send the head of `response` at once and its body in small pieces over `seconds`."""
    slow = web.StreamResponse(status=response.status, reason=response.reason, headers=response.headers)
    slow.content_length = len(body)
    await slow.prepare(request)
    size = max(1, math.ceil(len(body) / _PIECES))
    for start in range(0, len(body), size):
        await clock.sleep(seconds * size / len(body))
        await slow.write(body[start : start + size])
    await slow.write_eof()
    return slow


def write_and_close(request: web.Request, response: web.Response, *, announced: int, body: bytes) -> None:
    """Send `response` with this body under a length that need not be its own, then close the connection."""
    transport = request.transport
    if not isinstance(transport, asyncio.Transport):
        return
    lines = [f"HTTP/1.1 {response.status} {response.reason or HTTPStatus(response.status).phrase}"]
    headers = ((name, value) for name, value in response.headers.items() if name.lower() != "content-length")
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {announced}", "", ""]
    transport.write("\r\n".join(lines).encode() + body)
    transport.close()
