"""What the transport believes about a request that brought no whole answer: not sent, or maybe sent."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.connector import Connection as AiohttpConnection

from sidecar.calls.passage import PassageRequest
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.wire import Request
from tests.calls.rawserver import Connection, RawServer, Script, answering, ending, ok, opened, silent
from tests.calls.secretive import ORDER, SECONDS, failing


async def failure_of(script: Script, request: Request = ORDER, seconds: float = SECONDS, **settings: Any) -> MaybeSent:
    """How a call fails that reaches the server; it does so once only."""
    async with RawServer(script) as server, opened(server, **settings) as transport:
        failure = await failing(transport, request, seconds)
        await asyncio.sleep(0.01)
        assert len(server.requests) == 1
        assert isinstance(failure, MaybeSent)
        return failure


# Not sent


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_refused_connection_means_not_sent() -> None:
    async with opened(f"http://127.0.0.1:{unused_port()}") as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert failure.reason == "connect"


async def test_a_name_that_does_not_resolve_means_not_sent() -> None:
    async with opened("http://not-a-host.invalid") as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert failure.reason == "connect"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose backlog is full: a further connection is neither taken nor refused."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_a_connection_that_does_not_come_about_in_time_means_not_sent(deaf_port: int) -> None:
    async with opened(f"http://127.0.0.1:{deaf_port}", timeouts={"connect_seconds": 0.1}) as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert failure.reason == "connect"


async def test_a_deadline_that_ends_while_connecting_means_not_sent(deaf_port: int) -> None:
    async with opened(f"http://127.0.0.1:{deaf_port}", timeouts={"connect_seconds": 60}) as transport:
        failure = await failing(transport, seconds=0.1)
    assert isinstance(failure, NotSent)


async def test_a_deadline_that_has_passed_means_not_sent() -> None:
    async with RawServer(answering(ok())) as server, opened(server) as transport:
        failure = await failing(transport, seconds=1e-9)
        await asyncio.sleep(0.01)
        assert isinstance(failure, NotSent)
        assert server.requests == []


@pytest.mark.parametrize("seconds", [0.1, SECONDS])
async def test_a_full_pool_means_not_sent(seconds: float) -> None:
    async with (
        RawServer(silent) as server,
        opened(server, connections=1, timeouts={"connect_seconds": 0.15}) as transport,
    ):
        first = asyncio.create_task(transport.send(Request("GET", "/first", ()), seconds=SECONDS))
        await server.asked.wait()
        failure = await failing(transport, seconds=seconds)
        first.cancel()
        assert isinstance(failure, NotSent)
        assert failure.reason == "connect"
        assert len(server.requests) == 1


async def test_a_new_connection_that_is_lost_before_writing_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    send = PassageRequest.send

    async def too_late(self: PassageRequest, conn: AiohttpConnection) -> ClientResponse:
        assert conn.transport is not None
        conn.transport.abort()
        return await send(self, conn)

    monkeypatch.setattr(PassageRequest, "send", too_late)
    async with RawServer(answering(ok())) as server, opened(server) as transport:
        failure = await failing(transport, seconds=0.3)
        await asyncio.sleep(0.01)
        assert isinstance(failure, NotSent)
        assert (failure.reason, server.connections, server.requests) == ("connect", 1, [])


async def test_a_transport_that_is_not_open_means_not_sent() -> None:
    async with RawServer(answering(ok())) as server:
        async with opened(server) as transport:
            pass
        failure = await failing(transport)
        assert isinstance(failure, NotSent)
        assert server.requests == []


# Maybe sent


HALVES = {
    "no answer": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "no body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("after", HALVES.values(), ids=HALVES)
async def test_a_connection_that_ends_too_early_means_maybe_sent(after: bytes, reset: bool) -> None:
    failure = await failure_of(ending(after, reset=reset))
    assert failure.reason in {"reset", "bad_answer"}


@pytest.mark.parametrize("body", [b"", b"{"])
async def test_a_reset_in_a_body_without_a_length_means_maybe_sent(body: bytes) -> None:
    failure = await failure_of(ending(b"HTTP/1.1 200 OK\r\n\r\n" + body, reset=True))
    assert failure.kind == "CutOff"


@pytest.mark.parametrize(
    "whole",
    [
        ok(),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["length", "204", "chunked"],
)
async def test_a_reset_after_a_whole_answer_takes_nothing_from_it(whole: bytes) -> None:
    async with RawServer(ending(whole, reset=True)) as server, opened(server) as transport:
        assert (await transport.send(ORDER, seconds=SECONDS)).status in {200, 204}


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>oops</html>\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Flood: 1\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000_000,
    ],
    ids=["tls", "ssh", "html", "status", "lengths", "negative", "chunk", "101", "flood", "long"],
)
async def test_an_answer_that_is_not_http_means_maybe_sent(garbage: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.write(garbage)
        await connection.gone()

    failure = await failure_of(script)
    assert failure.reason == "bad_answer"


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"x" * 1001),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"190\r\n" + b"x" * 400 + b"\r\n") * 3,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
    ],
    ids=["length", "announced", "chunked", "until the end"],
)
async def test_an_answer_that_is_too_large_means_maybe_sent(answer: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.write(answer)
        await connection.gone()

    failure = await failure_of(script, max_answer_bytes=1000)
    assert (failure.reason, failure.kind) == ("bad_answer", "AnswerTooLarge")


async def test_an_answer_as_large_as_allowed_is_taken() -> None:
    async with RawServer(answering(ok(b"x" * 1000))) as server, opened(server, max_answer_bytes=1000) as transport:
        assert len((await transport.send(ORDER, seconds=SECONDS)).body) == 1000


async def test_an_answer_before_the_body_was_fully_written_is_an_answer() -> None:
    async def hasty(connection: Connection) -> None:
        await connection.head()
        await connection.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.sleep(0.05)
        await connection.gone()

    upload = Request("POST", "/x", (), bytes(20_000_000))
    async with RawServer(hasty, answering(ok(b"next"))) as server, opened(server, connections=1) as transport:
        answer = await transport.send(upload, seconds=SECONDS)
        following = await transport.send(ORDER, seconds=SECONDS)
        assert (answer.status, answer.body, following.body) == (413, b"no", b"next")
        assert server.connections == 2


async def test_a_transport_that_closes_in_the_middle_of_a_call_means_maybe_sent() -> None:
    async with RawServer(silent) as server, opened(server) as transport:
        call = asyncio.create_task(failing(transport))
        await server.asked.wait()
        await transport.close()
        assert isinstance(await call, MaybeSent)


# Time


async def trickling(connection: Connection) -> None:
    await connection.request()
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        await connection.write(b"x")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("script", [silent, trickling])
async def test_an_answer_that_does_not_come_in_time_means_maybe_sent(script: Script) -> None:
    failure = await failure_of(script, seconds=0.5)
    assert failure.reason == "timeout"


@pytest.mark.parametrize("script", [silent, trickling])
async def test_the_answer_timeout_holds_for_the_whole_answer(script: Script) -> None:
    started = time.monotonic()
    failure = await failure_of(script, timeouts={"answer_seconds": 0.2, "connect_seconds": 4})
    assert failure.reason == "timeout"
    assert 0.19 <= time.monotonic() - started < 3.0


async def test_a_body_that_nobody_reads_means_maybe_sent() -> None:
    async def stuffed(connection: Connection) -> None:
        await connection.head()
        await asyncio.sleep(60)

    failure = await failure_of(stuffed, Request("POST", "/x", (), bytes(20_000_000)), seconds=1.0)
    assert failure.reason == "timeout"


@pytest.mark.parametrize("seconds", [0.05, 5.3, 61.7])
async def test_a_deadline_is_never_rounded(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[float] = []
    call_at = loop.call_at

    def noting(when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(when - loop.time())
        return call_at(when, *args, **kwargs)

    async with (
        RawServer(answering(ok())) as server,
        opened(server, timeouts={"answer_seconds": 100, "connect_seconds": seconds}) as transport,
    ):
        monkeypatch.setattr(loop, "call_at", noting)
        await transport.send(ORDER, seconds=seconds)
    of_the_call = [when for when in timers if when > 1e-3 and abs(when - 15) > 0.5]  # 15: the pool's own sweeping
    assert of_the_call
    assert all(abs(when - seconds) < 0.1 or when < 0.3 for when in of_the_call)


# Sent once


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
async def test_a_request_into_a_kept_connection_that_drops_is_written_once(method: str, reset: bool) -> None:
    async def one_answer(connection: Connection) -> None:
        await connection.request()
        await connection.write(ok())
        await connection.request()
        await (connection.reset() if reset else connection.close())

    async with RawServer(one_answer, answering(ok(b"repeated"))) as server, opened(server) as transport:
        await transport.send(Request("GET", "/first", ()), seconds=SECONDS)
        failure = await failing(transport, Request(method, "/second", ()))
        await asyncio.sleep(0.02)
        assert isinstance(failure, MaybeSent)
        assert failure.reason == "reset"
        assert [raw.split(b" ")[1] for raw in server.requests] == [b"/first", b"/second"]
