import asyncio
from collections.abc import AsyncIterator

import pytest

from sidecar.wire import Answer

from .support import House, get


class Stream:
    """A broker's stream that the test feeds."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while (line := await self.lines.get()) is not None:
                if line == b"reset":
                    raise ConnectionResetError
                yield line
        finally:
            self.closed.set()

    def answer(self) -> Answer:
        headers = ((b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"99"))
        return Answer(200, headers, reason="OK", chunks=self.chunks())

    async def was_closed(self) -> None:
        async with asyncio.timeout(5):
            await self.closed.wait()


@pytest.fixture
def stream(at_home: House) -> Stream:
    stream = Stream()
    at_home.binance.answer = stream.answer()
    return stream


async def test_each_chunk_of_a_stream_is_relayed_before_the_next_one_exists(at_home: House, stream: Stream) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/stream"))
    head = await client.head()
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert b"Sidecar-Fate: ok" in head
    for line in (b'{"price":1}\n', b'{"price":2}\n{"price":3}\n'):
        stream.lines.put_nowait(line)
        assert await client.chunk() == line
    await client.hang_up()


async def test_a_stream_that_the_broker_ends_ends_cleanly_and_the_connection_goes_on(
    at_home: House, stream: Stream
) -> None:
    client = await at_home.connect()
    stream.lines.put_nowait(b"last")
    stream.lines.put_nowait(None)
    assert (await client.ask(get("/binance/stream"))).body == b"last"
    await stream.was_closed()
    assert (await client.ask(get("/oanda/x"))).status == 200
    await client.hang_up()


async def test_a_silent_stream_is_closed_when_the_bot_leaves(at_home: House, stream: Stream) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/stream"))
    await client.head()
    await client.hang_up()
    await stream.was_closed()


async def test_a_stream_that_breaks_is_not_ended_as_if_it_were_complete(at_home: House, stream: Stream) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/stream"))
    stream.lines.put_nowait(b"first")
    await client.head()
    assert await client.chunk() == b"first"
    stream.lines.put_nowait(b"reset")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.chunk()
    await stream.was_closed()
    await client.hang_up()


async def test_http_1_0_reads_a_stream_until_the_connection_closes(at_home: House, stream: Stream) -> None:
    client = await at_home.connect()
    client.writer.write(b"GET /binance/stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    stream.lines.put_nowait(b"all of it")
    stream.lines.put_nowait(None)
    head = await client.head()
    assert b"Connection: close" in head
    assert b"chunked" not in head
    assert await client.rest() == b"all of it"
    await client.hang_up()


async def test_head_on_a_stream_takes_none_of_it(at_home: House, stream: Stream) -> None:
    stream.lines.put_nowait(b"never sent")
    client = await at_home.connect()
    client.writer.write(get("/binance/stream", "Connection: close", method="HEAD"))
    await client.head()
    assert await client.rest() == b""
    await client.hang_up()


async def test_the_stop_ends_streams_without_waiting_for_them(at_home: House, stream: Stream) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/stream"))
    await client.head()
    async with asyncio.timeout(5):
        assert await at_home.api.stop(3600) == 0
    assert stream.closed.is_set()
    await client.hang_up()
