"""Streams: a head, then bytes as they come, for as long as they come."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sidecar.calls.transport import MaybeSent, NotSent, Transport, TransportError
from sidecar.wire import Answer, Request
from tests.calls.rawserver import Connection, RawServer, answering, ok, opened, silent
from tests.calls.secretive import SECONDS

STREAM = Request("GET", "/v3/pricing/stream?instruments=EUR_USD%2CUSD_JPY", ((b"Authorization", b"Bearer T"),))
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Stream: yes\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunks_of(answer: Answer) -> AsyncIterator[bytes]:
    assert answer.chunks is not None
    return answer.chunks


async def close(answer: Answer) -> None:
    await chunks_of(answer).aclose()  # type: ignore[attr-defined] # every stream of the transport has it


class Prices:
    """A server's stream that a test feeds piece by piece; `None` ends the script without ending the stream."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        await connection.write(HEAD)
        while (data := await self.queue.get()) is not None:
            await connection.write(data)
        await connection.gone()
        self.gone.set()


async def test_a_stream_gives_its_head_before_its_body() -> None:
    prices = Prices()
    async with RawServer(prices) as server, opened(server) as transport:
        answer = await transport.stream(STREAM, seconds=SECONDS)
        assert (answer.status, answer.body, answer.headers) == (200, b"", ((b"X-Stream", b"yes"),))
        assert server.requests[0].startswith(b"GET " + STREAM.target.encode() + b" HTTP/1.1\r\n")
        await close(answer)


async def test_a_stream_gives_each_chunk_as_it_comes() -> None:
    prices = Prices()
    async with RawServer(prices) as server, opened(server) as transport:
        chunks = chunks_of(await transport.stream(STREAM, seconds=SECONDS))
        for data in (b'{"bid":1}\n', b'{"bid":2}\n'):
            prices.queue.put_nowait(chunk(data))
            assert await anext(chunks) == data
        prices.queue.put_nowait(LAST)
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)


async def test_a_stream_comes_from_the_brokers_stream_url() -> None:
    prices = Prices()
    async with (
        RawServer(prices) as streams,
        RawServer(answering(ok())) as calls,
        opened(calls, stream_url=f"http://127.0.0.1:{streams.port}/s") as transport,
    ):
        await close(await transport.stream(STREAM, seconds=SECONDS))
        assert streams.requests[0].startswith(b"GET /s/v3/pricing/stream?")
        assert calls.requests == []


async def test_a_stream_outlives_the_time_of_its_head() -> None:
    prices = Prices()
    async with RawServer(prices) as server, opened(server, timeouts={"answer_seconds": 0.1}) as transport:
        chunks = chunks_of(await transport.stream(STREAM, seconds=0.1))
        for _ in range(5):
            await asyncio.sleep(0.05)
            prices.queue.put_nowait(chunk(b"tick"))
            assert await anext(chunks) == b"tick"
        prices.queue.put_nowait(LAST)
        assert [data async for data in chunks] == []


async def test_a_stream_takes_no_connection_from_the_calls() -> None:
    prices = Prices()
    async with RawServer(prices, answering(ok(b"called"))) as server, opened(server, connections=1) as transport:
        stream = await transport.stream(STREAM, seconds=SECONDS)
        answer = await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        assert answer.body == b"called"
        await close(stream)


async def test_a_stream_that_falls_silent_is_lost() -> None:
    prices = Prices()
    async with RawServer(prices) as server, opened(server, timeouts={"stream_idle_seconds": 0.1}) as transport:
        chunks = chunks_of(await transport.stream(STREAM, seconds=SECONDS))
        prices.queue.put_nowait(chunk(b"tick"))
        assert await anext(chunks) == b"tick"
        prices.queue.put_nowait(None)
        with pytest.raises(MaybeSent) as caught:
            await anext(chunks)
        assert caught.value.reason == "timeout"
        assert caught.value.__context__ is None
        await asyncio.wait_for(prices.gone.wait(), SECONDS)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_a_stream_that_breaks_is_lost(reset: bool) -> None:
    async def breaking(connection: Connection) -> None:
        await connection.request()
        await connection.write(HEAD + chunk(b"tick") + b"9\r\nhalf")
        await asyncio.sleep(0.02)
        await (connection.reset() if reset else connection.close())

    async with RawServer(breaking) as server, opened(server) as transport:
        chunks = chunks_of(await transport.stream(STREAM, seconds=SECONDS))
        with pytest.raises(MaybeSent) as caught:
            [data async for data in chunks]
        assert caught.value.reason in {"reset", "bad_answer"}


@pytest.mark.parametrize("read_first", [True, False], ids=["while read", "never read"])
async def test_closing_a_stream_closes_its_connection(read_first: bool) -> None:
    prices = Prices()
    async with RawServer(prices, answering(ok(b"next"))) as server, opened(server, connections=1) as transport:
        answer = await transport.stream(STREAM, seconds=SECONDS)
        if read_first:
            prices.queue.put_nowait(chunk(b"tick"))
            assert await anext(chunks_of(answer)) == b"tick"
        prices.queue.put_nowait(None)
        await close(answer)
        await asyncio.wait_for(prices.gone.wait(), SECONDS)
        following = await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        assert following.body == b"next"


async def test_cancelling_a_streams_reader_closes_its_connection() -> None:
    prices = Prices()
    async with RawServer(prices) as server, opened(server) as transport:
        chunks = chunks_of(await transport.stream(STREAM, seconds=SECONDS))
        reader = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        prices.queue.put_nowait(None)
        await asyncio.wait_for(prices.gone.wait(), SECONDS)


@pytest.mark.parametrize("status", [302, 401, 429, 503])
async def test_a_refused_stream_is_read_whole(status: int) -> None:
    refusal = b'HTTP/1.1 %d No\r\nContent-Length: 21\r\n\r\n{"errorMessage": "no"}'[:-1] % status
    async with RawServer(answering(refusal)) as server, opened(server) as transport:
        for _ in range(2):
            answer = await transport.stream(STREAM, seconds=SECONDS)
            assert (answer.status, answer.body, answer.chunks) == (status, b'{"errorMessage": "no"', None)
        assert server.connections == 1


async def test_a_stream_whose_head_does_not_come_in_time_is_lost() -> None:
    async with RawServer(silent) as server, opened(server) as transport:
        failure = await stream_failure(transport, 0.1)
        assert isinstance(failure, MaybeSent)
        assert failure.reason == "timeout"


async def test_a_stream_without_a_connection_was_not_sent() -> None:
    async with RawServer(silent) as server:
        pass
    async with opened(f"http://127.0.0.1:{server.port}") as transport:
        failure = await stream_failure(transport, SECONDS)
        assert isinstance(failure, NotSent)
        assert failure.__context__ is None


async def stream_failure(transport: Transport, seconds: float) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.stream(STREAM, seconds=seconds)
    return caught.value
