"""What leaves for the broker and what comes back, byte for byte."""

import asyncio
import contextlib
import gzip
import logging

import pytest
from aiohttp import ClientResponse
from aiohttp.connector import Connection as AiohttpConnection

from sidecar.calls.passage import PassageRequest
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.wire import Answer, Headers, Request, header
from tests.calls.rawserver import Connection, RawServer, answering, ok, opened
from tests.calls.secretive import SECONDS


async def sent(request: Request, base_path: str = "") -> bytes:
    """The bytes that a server sees of a request."""
    async with (
        RawServer(answering(ok())) as server,
        opened(f"http://127.0.0.1:{server.port}{base_path}") as transport,
    ):
        await transport.send(request, seconds=SECONDS)
        assert len(server.requests) == 1
        return server.requests[0]


async def answered(raw: bytes, method: str = "GET") -> Answer:
    """What the transport makes of an answer's bytes."""
    async with RawServer(answering(raw)) as server, opened(server) as transport:
        return await transport.send(Request(method, "/x", ()), seconds=SECONDS)


def lines(raw: bytes) -> list[bytes]:
    """A request's header lines without those of the connection's own framing."""
    head = raw.partition(b"\r\n\r\n")[0]
    return [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith((b"host:", b"content-length:"))]


# The way there


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v3/accounts/101-001%2F7/orders/@my%3Aid",
        "/order?symbol=BTC%2FUSDT&a=1+2&b=%20%2B&c=:;,@!$'()*",
        "//double//slashes/",
        "/empty?",
        "/?",
        "/a/../b/./c/..",
        "/a?path=/../x&u=http://h/?y",
        "/duplicates?a=1&a=2&&=&a=1",
        '/quotes?ids=%5B%22a%22%2C"b"%5D',
        "/lower%3acase%2f?q=%c3%a9%C3%A9",
        "/percent%?100%&%zz",
        "/fragment#is?no=fragment#here",
        "/utf8/é?ü=ß",
        "/long?signature=" + "a%2F" * 16_000,
    ],
)
async def test_a_target_leaves_as_the_bot_wrote_it(target: str) -> None:
    raw = await sent(Request("GET", target, ()))
    assert raw.split(b"\r\n")[0] == b"GET " + target.encode() + b" HTTP/1.1"


async def test_a_target_follows_the_path_of_the_base_url() -> None:
    raw = await sent(Request("GET", "//a%2Fb?", ()), base_path="/gate%2Fway/v1")
    assert raw.startswith(b"GET /gate%2Fway/v1//a%2Fb? HTTP/1.1\r\n")


@pytest.mark.parametrize("target", ["@elsewhere.invalid/x", ":1@elsewhere.invalid/", "elsewhere"])
async def test_a_target_cannot_choose_the_host(target: str) -> None:
    raw = await sent(Request("GET", target, ()))
    assert raw.startswith(b"GET /" + target.encode() + b" HTTP/1.1\r\n")


async def test_headers_keep_their_order_casing_and_duplicates() -> None:
    headers: Headers = (
        (b"x-Mbx-APIKEY", b"k"),
        (b"Accept", b"a/b"),
        (b"X-Twice", b"1"),
        (b"user-agent", b"Bot/1"),
        (b"X-Twice", b"2"),
        (b"x-twice", b"3"),
        (b"COOKIE", b"a=b; c"),
        (b"X-Empty", b""),
    )
    raw = await sent(Request("GET", "/x", headers))
    assert lines(raw) == [name + b": " + value for name, value in headers]


async def test_header_values_outside_ascii_leave_as_utf_8() -> None:
    raw = await sent(Request("GET", "/x", ((b"X-Note", "Größe €".encode()),)))
    assert lines(raw) == [b"X-Note: " + "Größe €".encode()]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_nothing_is_added_to_a_request_but_host_and_length(method: str) -> None:
    async with RawServer(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as server, opened(server) as transport:
        await transport.send(Request(method, "/x", (), b""), seconds=SECONDS)
        assert lines(server.requests[0]) == []
        assert b"\r\nHost: 127.0.0.1:%d\r\n" % server.port in server.requests[0]


async def test_a_body_adds_its_length_and_no_type() -> None:
    raw = await sent(Request("POST", "/x", (), b"a=1"))
    assert lines(raw) == []
    assert raw.endswith(b"\r\nContent-Length: 3\r\n\r\na=1")


async def test_the_framing_of_the_bots_connection_stays_behind() -> None:
    headers: Headers = (
        (b"Host", b"localhost:8787"),
        (b"CONTENT-LENGTH", b"9"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"close"),
        (b"Expect", b"100-continue"),
    )
    raw = await sent(Request("POST", "/x", headers, b"abc"))
    assert lines(raw) == []
    assert raw.lower().count(b"host:") == raw.lower().count(b"content-length:") == 1
    assert raw.endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_body_bytes_leave_unchanged(method: str) -> None:
    body = bytes(range(256)) + b"\r\n\r\n0\r\n"
    raw = await sent(Request(method, "/x", (), body))
    assert raw.partition(b"\r\n\r\n")[2] == body
    assert b"\r\nContent-Length: %d\r\n" % len(body) in raw


async def test_a_body_of_several_megabytes_leaves_unchanged() -> None:
    body = bytes(range(256)) * (3 * 4096 + 1)
    raw = await sent(Request("POST", "/x", (), body))
    assert raw.partition(b"\r\n\r\n")[2] == body
    assert lines(raw) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_an_empty_body_says_that_its_length_is_zero(method: str) -> None:
    raw = await sent(Request(method, "/x", ()))
    assert b"\r\nContent-Length: 0\r\n" in raw


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/x", ((b"X-Note", b"\xff\xfe"),)),
        Request("GET", "/x", ((b"X-N\xc3\xb6te", b"1"),)),
        Request("GET", "/x", ((b"X-Note", b"1\r\nX-Smuggled: 2"),)),
        Request("GET", "/x HTTP/1.1\r\nX-Smuggled: 2", ()),
        Request("GET", "/\udcff", ()),
        Request("GE\r\nT", "/", ()),
    ],
    ids=["value not UTF-8", "name not ASCII", "line break in value", "line break in target", "surrogate", "method"],
)
async def test_a_request_that_http_cannot_carry_is_not_sent(request_: Request) -> None:
    async with RawServer(answering(ok())) as server, opened(server) as transport:
        with pytest.raises(NotSent) as caught:
            await transport.send(request_, seconds=SECONDS)
        await transport.send(Request("GET", "/next", ()), seconds=SECONDS)
        assert caught.value.reason == "bad_request"
        assert [raw.split(b" ")[1] for raw in server.requests] == [b"/next"]


# The way back


async def test_answer_headers_keep_their_order_casing_and_duplicates() -> None:
    answer = await answered(ok(b"{}", b"x-mbx-USED-weight-1m: 7", b"Set-Cookie: a=1", b"Etag: x", b"set-cookie: b=2"))
    assert answer.headers == (
        (b"x-mbx-USED-weight-1m", b"7"),
        (b"Set-Cookie", b"a=1"),
        (b"Etag", b"x"),
        (b"set-cookie", b"b=2"),
        (b"Content-Length", b"2"),
    )


async def test_hop_by_hop_headers_of_an_answer_stay_here() -> None:
    answer = await answered(
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    assert answer.headers == ((b"X-A", b"1"),)
    assert answer.body == b"{}"


async def test_status_and_reason_come_back_as_the_broker_gave_them() -> None:
    answer = await answered(b"HTTP/1.1 418 I'm a banned bot\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.reason, answer.body) == (418, "I'm a banned bot", b"")


async def test_a_compressed_body_comes_back_compressed() -> None:
    body = gzip.compress(b'{"orderId": 7}')
    answer = await answered(ok(body, b"Content-Encoding: gzip"))
    assert answer.body == body
    assert header(answer.headers, b"content-encoding") == b"gzip"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_an_order_to_go_elsewhere(status: int) -> None:
    redirect = b"HTTP/1.1 %d Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n" % status
    async with RawServer(answering(redirect)) as server, opened(server) as transport:
        answer = await transport.send(Request("POST", "/x", (), b"a"), seconds=SECONDS)
        assert answer.status == status
        assert len(server.requests) == 1


async def test_a_cookie_is_not_remembered(caplog: pytest.LogCaptureFixture) -> None:
    cookie = ok(b"{}", b"Set-Cookie: s=1; Path=/", b"Set-Cookie: odd name[]=2")
    with caplog.at_level(logging.DEBUG, "aiohttp"):
        async with RawServer(answering(cookie)) as server, opened(server) as transport:
            for _ in range(2):
                await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
            assert lines(server.requests[1]) == []
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2000000000\r\n\r\n"),
    ],
    ids=["HEAD", "204", "304"],
)
async def test_an_answer_without_a_body_does_not_wait_for_one(method: str, raw: bytes) -> None:
    async with RawServer(answering(raw)) as server, opened(server) as transport:
        for _ in range(2):
            answer = await transport.send(Request(method, "/x", ()), seconds=SECONDS)
            assert answer.body == b""
        assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")
        await connection.close()

    async with RawServer(script) as server, opened(server) as transport:
        answer = await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        assert answer.body == b"<html>"


async def test_interim_answers_are_passed_over() -> None:
    answer = await answered(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + ok(b"real", b"X-A: 1"), "POST"
    )
    assert (answer.status, answer.body) == (200, b"real")
    assert header(answer.headers, b"link") is None


async def test_an_answer_may_have_a_very_long_header() -> None:
    answer = await answered(ok(b"{}", b"Content-Security-Policy: " + b"p" * 40_000))
    assert answer.body == b"{}"


# Connections


async def test_a_connection_serves_one_call_after_the_other() -> None:
    async with RawServer(answering(ok(b"1"), ok(b"2"), ok(b"3"))) as server, opened(server) as transport:
        bodies = [(await transport.send(Request("GET", "/x", ()), seconds=SECONDS)).body for _ in range(3)]
        assert bodies == [b"1", b"2", b"3"]
        assert server.connections == 1


async def test_a_connection_that_the_broker_ends_is_not_used_again() -> None:
    async with RawServer(answering(ok(b"1", b"Connection: close"))) as server, opened(server) as transport:
        for _ in range(2):
            await transport.send(Request("POST", "/x", (), b"a"), seconds=SECONDS)
        assert server.connections == 2
        assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_kept_connection_that_has_just_ended_costs_no_order(method: str) -> None:
    """The end lies unread in the kernel when the order comes: the event loop was busy."""
    async with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server, opened(server) as transport:
        await transport.send(Request("GET", "/first", ()), seconds=SECONDS)
        server.hang_up()  # at once and without a turn of the event loop before the next line
        answer = await transport.send(Request(method, "/second", ()), seconds=SECONDS)
        assert answer.body == b"2"
        assert [raw.split(b" ")[1] for raw in server.requests] == [b"/first", b"/second"]


@pytest.mark.parametrize("noticed", [True, False], ids=["read by the loop", "still in the kernel"])
async def test_an_answer_that_nobody_asked_for_never_becomes_the_next_calls_answer(noticed: bool) -> None:
    """Load balancers say 408 on an idle connection before they close it."""
    async with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server, opened(server) as transport:
        await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        server.blurt(b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\n\r\n")
        if noticed:
            await asyncio.sleep(0.02)
        answer = await transport.send(Request("POST", "/x", (), b"a"), seconds=SECONDS)
        assert (answer.status, answer.body) == (200, b"2")
        assert len(server.requests) == 2


async def test_a_pool_full_of_ended_connections_costs_no_order() -> None:
    async def slow(connection: Connection) -> None:
        await connection.request()
        await asyncio.sleep(0.05)
        await connection.write(ok(b"1"))
        await connection.gone()

    async with RawServer(slow) as server, opened(server, connections=8) as transport:
        cancel = Request("DELETE", "/x", ())  # a cancel may use the last connection too
        await asyncio.gather(*(transport.send(cancel, seconds=SECONDS, reserved=True) for _ in range(8)))
        server.hang_up()
        answer = await transport.send(Request("POST", "/order", (), b"a"), seconds=SECONDS)
        assert answer.body == b"1"
        assert (server.connections, len(server.requests)) == (9, 9)


async def test_a_new_connection_with_something_to_read_is_not_taken_for_an_ended_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a TLS handshake there are session tickets; here an interim answer stands for them."""
    async with RawServer(answering(ok(b"1"))) as server, opened(server) as transport:
        send = PassageRequest.send

        async def after_a_while(self: PassageRequest, conn: AiohttpConnection) -> ClientResponse:
            await asyncio.sleep(0.02)  # lets the server accept
            server.blurt(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            return await send(self, conn)

        monkeypatch.setattr(PassageRequest, "send", after_a_while)
        answer = await transport.send(Request("POST", "/x", (), b"a"), seconds=0.5)
        assert (answer.body, server.connections) == (b"1", 1)


@pytest.mark.parametrize("extra", [b"}", b"garbage\r\n\r\n", ok(b"smuggled")])
async def test_bytes_beyond_an_answers_length_never_become_the_next_calls_answer(extra: bytes) -> None:
    async with RawServer(answering(ok(b"1") + extra), answering(ok(b"2"))) as server, opened(server) as transport:
        with contextlib.suppress(MaybeSent):  # either end of this call is right
            await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        answer = await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        assert answer.body == b"2"
        assert server.connections == 2


async def test_an_unasked_answer_in_two_halves_never_becomes_the_next_calls_answer() -> None:
    first, second = ok(b"smuggled")[:30], ok(b"smuggled")[30:]
    script = answering(ok(b"1") + first, second + ok(b"2"))
    async with RawServer(script) as server, opened(server) as transport:
        await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        with pytest.raises(MaybeSent) as caught:
            await transport.send(Request("GET", "/x", ()), seconds=SECONDS)
        assert caught.value.reason == "bad_answer"


async def test_a_cancelled_calls_late_answer_never_becomes_another_calls_answer() -> None:
    release = asyncio.Event()

    async def late(connection: Connection) -> None:
        await connection.request()
        await release.wait()
        await connection.write(ok(b"late"))
        await connection.gone()

    async with RawServer(late, answering(ok(b"own"))) as server, opened(server, connections=1) as transport:
        call = asyncio.create_task(transport.send(Request("POST", "/first", (), b"a"), seconds=SECONDS))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        release.set()
        answer = await transport.send(Request("GET", "/second", ()), seconds=SECONDS)
        assert answer.body == b"own"
        assert server.connections == 2


# Who gets a connection


async def test_reads_that_are_never_answered_leave_connections_for_cancels() -> None:
    async def only_deletes(connection: Connection) -> None:
        head = await connection.request()
        await (connection.write(ok(b"cancelled")) if head.startswith(b"DELETE") else connection.gone())

    async with RawServer(only_deletes) as server, opened(server, connections=10) as transport:
        read = Request("GET", "/slow", ())
        reads = [asyncio.create_task(transport.send(read, seconds=SECONDS)) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert server.connections == 9
        answer = await transport.send(Request("DELETE", "/order", ()), seconds=SECONDS, reserved=True)
        assert answer.body == b"cancelled"
        for waiting in reads:
            waiting.cancel()
        await asyncio.gather(*reads, return_exceptions=True)


async def test_a_call_that_finds_no_free_connection_in_time_was_not_sent_and_leaves_its_place() -> None:
    async def slow_first(connection: Connection) -> None:
        await connection.request()
        await asyncio.sleep(0.3)
        await connection.write(ok())
        await connection.request()
        await connection.write(ok(b"next"))

    request = Request("GET", "/", ())
    async with (
        RawServer(slow_first) as server,
        opened(server, connections=1, timeouts={"connect_seconds": 0.1}) as transport,
    ):
        first = asyncio.create_task(transport.send(request, seconds=SECONDS))
        await asyncio.sleep(0.05)
        with pytest.raises(NotSent, match="connect"):
            await transport.send(request, seconds=SECONDS)
        await first
        assert (await transport.send(request, seconds=SECONDS)).body == b"next"
