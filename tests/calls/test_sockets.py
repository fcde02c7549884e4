"""WebSockets: what they say, how they end, and that their addresses stay secret."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from sidecar.calls.sockets import LONGEST_MESSAGE_BYTES, Sockets
from sidecar.calls.transport import MaybeSent, NotSent, TransportError
from sidecar.config.model import Broker

SECRET = "KEY-3d4c"
SECONDS = 5.0
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[Sockets]:
    """Sockets before a server that talks so."""

    async def serve(request: web.Request) -> web.StreamResponse:
        assert request.match_info["key"] == SECRET
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        return socket

    application = web.Application()
    application.router.add_get("/private/ws/{key}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    sockets = opened(f"http://{host}:{port}/private")
    try:
        yield sockets
    finally:
        await sockets.close()
        await runner.cleanup()


def opened(url: str) -> Sockets:
    return Sockets(Broker(profile="binance-usdm", base_url="http://127.0.0.1:1", stream_url=url))


def assert_tells_nothing(failure: TransportError) -> None:
    assert failure.__cause__ is None
    assert failure.__context__ is None
    assert SECRET not in "".join([repr(failure), str(vars(failure)), *traceback.format_exception(failure)])


async def test_each_message_is_a_line() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"e":1}')
        await socket.send_bytes(b'{"e":2}')
        await socket.close()

    async with talking(talk) as sockets:
        messages = await sockets.open(f"/ws/{SECRET}", SECONDS)
        assert [message async for message in messages] == [b'{"e":1}\n', b'{"e":2}\n']


async def test_closing_it_tells_the_broker() -> None:
    heard = asyncio.Event()

    async def talk(socket: web.WebSocketResponse) -> None:
        if (await socket.receive()).type is WSMsgType.CLOSE:
            heard.set()

    async with talking(talk) as sockets:
        messages = await sockets.open(f"/ws/{SECRET}", SECONDS)
        await messages.aclose()  # type: ignore[attr-defined] # every stream has it
        await asyncio.wait_for(heard.wait(), SECONDS)


@pytest.mark.parametrize("how", ["cut", "too long"])
async def test_one_that_breaks_says_so_without_its_address(how: str) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        if how == "too long":
            await socket.send_bytes(b"x" * (LONGEST_MESSAGE_BYTES + 1))
            await socket.receive()
        else:
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()

    async with talking(talk) as sockets:
        messages = await sockets.open(f"/ws/{SECRET}", SECONDS)
        with pytest.raises(MaybeSent) as caught:
            await anext(messages)
    assert_tells_nothing(caught.value)


async def test_one_that_is_refused_says_so_without_its_address() -> None:
    async def talk(_: web.WebSocketResponse) -> None:
        raise AssertionError

    async with talking(talk) as sockets:
        with pytest.raises(NotSent) as caught:
            await sockets.open(f"/elsewhere/{SECRET}", SECONDS)
    assert_tells_nothing(caught.value)


async def test_without_a_connection_nothing_was_sent() -> None:
    sockets = opened("http://127.0.0.1:1")
    with pytest.raises(NotSent) as caught:
        await sockets.open(f"/ws/{SECRET}", SECONDS)
    await sockets.close()
    assert_tells_nothing(caught.value)
