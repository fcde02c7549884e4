import asyncio
import gzip

import pytest

from sidecar.wire import Answer, Request

from .support import House, get, post


@pytest.mark.parametrize(
    "target",
    [
        "/fapi/v1/order?symbol=BTC%2FUSDT&id=a%3Ab&text=a%20b+c",
        "/fapi/v1/order?signature=%2f%3a",
        "/path?",
        "//double//slash/",
        "/a/./b/../c",
        "/a%2Fb;v=1/@me",
        "/%C3%A9%ff?q=%E2%82%AC",
        '/a?x=[1,2]&y={z}|"<>^`\\',
        "/a?redirect=/b/c?d",
    ],
)
async def test_path_and_query_reach_the_broker_byte_for_byte(at_home: House, target: str) -> None:
    await at_home.ask(get("/binance" + target))
    assert [seen.request.target for seen in at_home.binance.seen] == [target]


@pytest.mark.parametrize(("asked", "target"), [("/binance", "/"), ("/binance?a=/b", "/?a=/b"), ("/binance/", "/")])
async def test_a_bare_broker_name_asks_for_its_root(at_home: House, asked: str, target: str) -> None:
    await at_home.ask(get(asked))
    assert at_home.binance.seen[0].request.target == target


async def test_each_broker_gets_its_own_calls(at_home: House) -> None:
    await at_home.ask(get("/oanda/v3/accounts"))
    assert (len(at_home.oanda.seen), len(at_home.binance.seen)) == (1, 0)


async def test_headers_keep_order_casing_and_duplicates(at_home: House) -> None:
    await at_home.ask(get("/binance/x", "x-ODD-case: 1", "B: two", "X-Odd-Case: 3", "b:  spaced ", "Empty:"))
    assert at_home.binance.seen[0].request.headers == (
        (b"x-ODD-case", b"1"),
        (b"B", b"two"),
        (b"X-Odd-Case", b"3"),
        (b"b", b"spaced"),
        (b"Empty", b""),
    )


async def test_what_concerns_this_connection_or_the_sidecar_alone_stays_here(at_home: House) -> None:
    stays = (
        "Connection: X-Mine, keep-alive",
        "X-Mine: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Bearer t",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Trailer: X-Sum",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate: a=1",
        "baggage: user=1",
        "Sidecar-Deadline: 2.5",
        "Sidecar-Other: 1",
    )
    await at_home.ask(get("/binance/x", *stays, "Authorization: Bearer broker", "Prefer: respond-async"))
    assert at_home.binance.seen[0].request.headers == (
        (b"Authorization", b"Bearer broker"),
        (b"Prefer", b"respond-async"),
    )


async def test_the_trace_and_the_deadline_are_handed_over(at_home: House) -> None:
    await at_home.ask(
        get("/binance/x", "TraceParent: 00-aa-bb-01", "tracestate: a=1", "tracestate: b=2", "Sidecar-Deadline: 2.5")
    )
    seen = at_home.binance.seen[0]
    assert (seen.traceparent, seen.tracestate, seen.deadline_seconds) == (b"00-aa-bb-01", b"a=1,b=2", 2.5)


async def test_a_body_with_a_length_arrives_as_sent(at_home: House) -> None:
    body = bytes(range(256)) * 300
    await at_home.ask(post("/binance/x", body))
    assert at_home.binance.seen[0].request.body == body


async def test_a_chunked_body_arrives_whole(at_home: House) -> None:
    request = get("/binance/x", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
    await at_home.ask(request)
    seen = at_home.binance.seen[0].request
    assert (seen.body, seen.headers) == (b"abcdefg", ())


async def test_a_compressed_body_is_not_unpacked(at_home: House) -> None:
    body = gzip.compress(b"quantity=1")
    await at_home.ask(post("/binance/x", body, "Content-Encoding: gzip"))
    assert at_home.binance.seen[0].request.body == body
    assert at_home.binance.seen[0].request.headers == ((b"Content-Encoding", b"gzip"),)


async def test_expect_100_continue_is_answered_here_before_the_body(at_home: House) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
    assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert at_home.binance.seen == []
    assert (await client.ask(b"hello")).status == 200
    assert at_home.binance.seen[0].request.body == b"hello"
    assert at_home.binance.seen[0].request.headers == ()
    await client.hang_up()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_the_method_reaches_the_broker(at_home: House, method: str) -> None:
    await at_home.ask(get("/binance/x", method=method))
    assert at_home.binance.seen[0].request.method == method


async def test_an_answer_is_passed_on_with_its_reason_headers_order_and_casing(at_home: House) -> None:
    headers = (
        (b"x-MBX-used-weight-1M", b"10"),
        (b"Content-Type", b"application/json;charset=UTF-8"),
        (b"content-LENGTH", b"4"),
        (b"Set-Cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"X-Latin", b"caf\xe9"),
    )
    at_home.binance.answer = Answer(418, headers, b"body", "I'm a teapot, really")
    told = await at_home.ask(get("/binance/x"))
    assert told.head.split(b"\r\n")[0] == b"HTTP/1.1 418 I'm a teapot, really"
    assert told.headers == [*headers, (b"Sidecar-Fate", b"ok; attempts=2; waited=1.5")]
    assert told.body == b"body"


async def test_nothing_is_invented_for_an_answer_without_headers(at_home: House) -> None:
    at_home.binance.answer = Answer(200, (), b"body")
    told = await at_home.ask(get("/binance/x"))
    assert {name for name, _ in told.headers} == {b"Content-Length", b"Sidecar-Fate"}


async def test_hop_by_hop_answer_headers_end_here(at_home: House) -> None:
    headers = (
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Sidecar-Fate", b"forged"),
        (b"Kept", b"1"),
    )
    at_home.binance.answer = Answer(200, headers, b"")
    told = await at_home.ask(get("/binance/x"))
    assert told.headers == [
        (b"Kept", b"1"),
        (b"Content-Length", b"0"),
        (b"Sidecar-Fate", b"ok; attempts=2; waited=1.5"),
    ]


async def test_a_compressed_answer_is_passed_on_compressed(at_home: House) -> None:
    body = gzip.compress(b"[1,2]")
    at_home.binance.answer = Answer(200, ((b"Content-Encoding", b"gzip"),), body)
    told = await at_home.ask(get("/binance/x"))
    assert (told.header(b"content-encoding"), told.body) == (b"gzip", body)


async def test_an_answer_larger_than_every_buffer_arrives_whole(at_home: House) -> None:
    body = bytes(range(256)) * 20_000
    at_home.binance.answer = Answer(200, (), body)
    assert (await at_home.ask(get("/binance/x"))).body == body


async def test_head_keeps_the_length_that_get_would_have_and_sends_no_body(at_home: House) -> None:
    at_home.binance.answer = Answer(200, ((b"Content-Length", b"1234"),), b"")
    client = await at_home.connect()
    told = await client.ask(get("/binance/x", "Connection: close", method="HEAD"))
    assert told.header(b"content-length") == b"1234"
    assert await client.rest() == b""
    await client.hang_up()


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_leaves_the_connection_usable(at_home: House, status: int) -> None:
    at_home.binance.answer = Answer(status, ((b"ETag", b'"x"'),), b"")
    client = await at_home.connect()
    for _ in range(2):
        told = await client.ask(get("/binance/x"))
        assert (told.status, told.header(b"etag"), told.header(b"content-length")) == (status, b'"x"', None)
    await client.hang_up()


async def test_304_keeps_the_length_that_the_broker_told(at_home: House) -> None:
    at_home.binance.answer = Answer(304, ((b"Content-Length", b"77"),), b"")
    assert (await at_home.ask(get("/binance/x"))).header(b"content-length") == b"77"


async def test_a_connection_is_used_again_and_pipelined_calls_are_answered_in_order(at_home: House) -> None:
    async def echo(request: Request) -> Answer:
        return Answer(200, (), request.target.encode())

    at_home.binance.answer = echo
    client = await at_home.connect()
    client.writer.write(get("/binance/1") + post("/binance/2", b"x") + get("/binance/3"))
    assert [(await client.answer()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]
    await client.hang_up()


async def test_http_1_0_is_answered_and_closed(at_home: House) -> None:
    client = await at_home.connect()
    told = await client.ask(b"GET /binance/x HTTP/1.0\r\n\r\n")
    assert (told.status, told.header(b"connection"), await client.rest()) == (200, b"close", b"")
    await client.hang_up()


async def test_an_upgrade_to_http2_is_ignored_and_the_call_goes_on(at_home: House) -> None:
    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert (await at_home.ask(get("/binance/x", *headers))).status == 200
    assert at_home.binance.seen[0].request.headers == ()


async def test_a_call_goes_on_when_the_bot_hangs_up(at_home: House) -> None:
    arrived, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Answer:
        del request
        arrived.set()
        await release.wait()
        done.set()
        return Answer(200, ())

    at_home.binance.answer = slow
    client = await at_home.connect()
    client.writer.write(post("/binance/order", b"quantity=1"))
    await arrived.wait()
    await client.hang_up()
    release.set()
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_failure_inside_the_sidecar_looks_like_an_unknown_outcome(
    at_home: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Answer:
        raise RuntimeError(request.query)

    at_home.binance.answer = broken
    told = await at_home.ask(get("/binance/x?signature=secret"))
    assert told.header(b"sidecar-fate") == b"unknown; attempts=1; why=unknown; from=sidecar"
    assert b"may have been executed" in told.body
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_call_knows_that_its_bot_has_hung_up(at_home: House) -> None:
    arrived, noticed = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Answer:
        del request
        gone = at_home.binance.seen[-1].gone
        assert not gone()
        arrived.set()
        while not gone():  # noqa: ASYNC110 - what is asked here is a question, and nothing signals its answer
            await asyncio.sleep(0)
        noticed.set()
        return Answer(200, ())

    at_home.binance.answer = slow
    client = await at_home.connect()
    client.writer.write(post("/binance/order", b"quantity=1"))
    await arrived.wait()
    await client.hang_up()
    async with asyncio.timeout(5):
        await noticed.wait()
