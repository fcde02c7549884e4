import json

import pytest

from sidecar.telemetry.events import CallRefused

from .support import House, get, post

FATE = b"fatal; attempts=0; why=bad_request; from=sidecar"


async def test_an_unknown_broker_is_told_which_are_configured(at_home: House) -> None:
    told = await at_home.ask(get("/kraken/0/private/AddOrder?nonce=secret"))
    assert (told.status, told.header(b"content-type")) == (404, b"application/problem+json")
    problem = json.loads(told.body)
    assert problem["status"] == 404
    assert "/binance/…, /oanda/…" in problem["detail"]
    assert b"secret" not in told.body
    assert told.header(b"sidecar-fate") == FATE
    assert at_home.refusals == [CallRefused("", "unknown_broker", "unix")]


@pytest.mark.parametrize("target", ["/", "//binance/x", "/Binance/x", "/%62inance/x", "/v11/x"])
async def test_only_the_exact_name_of_a_broker_reaches_it(at_home: House, target: str) -> None:
    assert (await at_home.ask(get(target))).status == 404
    assert at_home.binance.seen == []


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1_0", "soon", "", "1,2", "1e3"])
async def test_a_deadline_that_is_no_positive_number_is_refused_in_the_brokers_envelope(
    at_home: House, seconds: str
) -> None:
    told = await at_home.ask(get("/binance/x", f"Sidecar-Deadline: {seconds}"))
    assert (told.status, json.loads(told.body)["code"], told.header(b"sidecar-fate")) == (400, -1000, FATE)
    assert at_home.binance.seen == []
    assert at_home.refusals == [CallRefused("binance", "malformed", "unix")]


@pytest.mark.parametrize("target", ["http://evil.test/binance/x", "http://evil.test", "https://broker.test/binance/"])
async def test_it_is_no_open_proxy_for_absolute_targets(at_home: House, target: str) -> None:
    told = await at_home.ask(get(target))
    assert told.status == 400
    assert b"no general proxy" in told.body
    assert at_home.binance.seen == []
    assert [refusal.reason for refusal in at_home.refusals] == ["malformed"]


async def test_it_opens_no_tunnels(at_home: House) -> None:
    told = await at_home.ask(get("evil.test:443", method="CONNECT"))
    assert told.status == 400
    assert [refusal.reason for refusal in at_home.refusals] == ["malformed"]


async def test_a_fragment_is_refused_because_it_would_be_lost(at_home: House) -> None:
    assert (await at_home.ask(get("/binance/x?a=1#b"))).status == 400
    assert at_home.binance.seen == []


async def test_a_websocket_is_sent_to_the_broker_itself(at_home: House) -> None:
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAA", "Sec-WebSocket-Version: 13")
    client = await at_home.connect()
    told = await client.ask(get("/binance/ws", *headers))
    assert told.status == 501
    assert "broker's own address" in json.loads(told.body)["msg"]
    assert at_home.binance.seen == []
    assert at_home.refusals == [CallRefused("binance", "upgrade", "unix")]
    assert (await client.ask(get("/binance/x"))).status == 200
    await client.hang_up()


async def test_a_body_that_announces_too_much_is_refused_without_asking_for_it(at_home: House) -> None:
    client = await at_home.connect()
    request = get("/binance/x", f"Content-Length: {1024 * 1024 + 1}", "Expect: 100-continue", method="POST")
    told = await client.ask(request)
    assert (told.status, json.loads(told.body)["code"], told.header(b"connection")) == (413, -1000, b"close")
    assert at_home.binance.seen == []
    assert at_home.refusals == [CallRefused("binance", "too_large", "unix")]
    await client.hang_up()


async def test_a_chunked_body_that_grows_too_large_is_refused(at_home: House) -> None:
    chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
    request = get("/binance/x", "Transfer-Encoding: chunked", method="POST") + chunk * 5 + b"0\r\n\r\n"
    told = await at_home.ask(request)
    assert (told.status, at_home.binance.seen) == (413, [])


async def test_a_body_of_exactly_the_limit_is_taken(at_home: House) -> None:
    body = b"x" * 1024 * 1024
    assert (await at_home.ask(post("/binance/x", body))).status == 200
    assert len(at_home.binance.seen[0].request.body) == len(body)


async def test_a_body_whose_chunks_are_broken_from_the_start_is_refused_once(at_home: House) -> None:
    client = await at_home.connect()
    told = await client.ask(get("/binance/x", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\nzz\r\n")
    assert (told.status, told.header(b"connection"), await client.rest()) == (400, b"close", b"")
    assert [refusal.reason for refusal in at_home.refusals] == ["malformed"]
    assert at_home.binance.seen == []
    await client.hang_up()


async def test_a_body_with_broken_chunks_is_refused_in_the_brokers_envelope(at_home: House) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x", "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST"))
    await client.head()
    told = await client.ask(b"zz\r\n")
    assert (told.status, json.loads(told.body)["code"], await client.rest()) == (400, -1000, b"")
    assert at_home.refusals == [CallRefused("binance", "malformed", "unix")]
    await client.hang_up()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /binance/x?apikey=secret HTTP/1.1\r\nHost: a\r\nno colon secret\r\n\r\n",
        b"GET /binance/\xc3\xa9secret HTTP/1.1\r\nHost: a\r\n\r\n",
        b"secret\r\n\r\n",
        b"GET /binance/x HTTP/1.1\r\nHost: a\r\nHost: secret\r\n\r\n",
        b"GET /binance/x HTTP/1.1\r\nX: secret\r\n\r\n",
        b"POST /binance/x HTTP/1.1\r\nHost: secret\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /binance/x?" + b"secret" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_a_problem_that_repeats_none_of_it(
    at_home: House, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    told = await at_home.ask(request_bytes)
    assert (told.status, told.header(b"content-type")) == (400, b"application/problem+json")
    assert b"secret" not in told.head + told.body
    assert "secret" not in caplog.text
    assert at_home.binance.seen == []
    assert at_home.refusals == [CallRefused("", "malformed", "unix")]


async def test_a_bot_that_hangs_up_amid_its_body_calls_nobody(at_home: House, caplog: pytest.LogCaptureFixture) -> None:
    client = await at_home.connect()
    client.writer.write(get("/binance/x", "Content-Length: 10", "Expect: 100-continue", method="POST"))
    await client.head()
    client.writer.write(b"half")
    await client.hang_up()
    assert (await at_home.ask(get("/oanda/x"))).status == 200
    assert (at_home.binance.seen, caplog.text) == ([], "")
