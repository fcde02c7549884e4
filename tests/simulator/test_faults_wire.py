"""Each fault as a caller meets it, held against what the book says has truly happened."""

import asyncio
import socket
import time
from urllib.parse import urlsplit

import aiohttp
import pytest

from sidecar.simulator.faults import Fault, FaultKind
from tests.simulator.binance_support import Floor, trading


def orders(floor: Floor) -> int:
    return len(floor.simulator.executed().orders)


async def test_without_faults_an_order_is_executed_and_answered() -> None:
    async with trading() as floor:
        reply = await floor.trader.buy(newClientOrderId="plain")
        assert (reply.status, reply.body["clientOrderId"]) == (200, "plain")
        assert orders(floor) == 1


async def test_latency_delays_the_answer() -> None:
    async with trading(Fault(FaultKind.LATENCY, seconds=0.2)) as floor:
        begun = time.monotonic()
        reply = await floor.trader.buy()
        assert time.monotonic() - begun >= 0.2
        assert reply.status == 200


async def test_a_trickle_sends_the_head_at_once_and_the_body_slowly_but_whole() -> None:
    async with trading(Fault(FaultKind.TRICKLE, seconds=0.3)) as floor:
        begun = time.monotonic()
        async with floor.trader.session.get(f"{floor.trader.url}/fapi/v1/exchangeInfo") as response:
            head = time.monotonic() - begun
            body = await response.json()
        assert head < 0.2
        assert time.monotonic() - begun >= 0.28
        assert len(body["symbols"]) == 2


async def test_a_reset_before_leaves_the_book_empty() -> None:
    async with trading(Fault(FaultKind.RESET_BEFORE)) as floor:
        with pytest.raises(aiohttp.ClientOSError, match="reset"):
            await floor.trader.buy()
        assert orders(floor) == 0


async def test_a_reset_after_has_executed_the_order() -> None:
    async with trading(Fault(FaultKind.RESET_AFTER)) as floor:
        with pytest.raises(aiohttp.ClientOSError, match="reset"):
            await floor.trader.buy()
        assert orders(floor) == 1


async def test_a_lost_answer_keeps_the_connection_open_and_has_executed_the_order() -> None:
    async with trading(Fault(FaultKind.ANSWER_LOST), seconds=0.3) as floor:
        with pytest.raises(asyncio.TimeoutError):
            await floor.trader.buy()
        assert orders(floor) == 1


async def test_a_truncated_answer_breaks_off_after_the_execution() -> None:
    async with trading(Fault(FaultKind.TRUNCATED)) as floor:
        with pytest.raises(aiohttp.ClientPayloadError):
            await floor.trader.buy()
        assert orders(floor) == 1


async def test_too_long_a_length_breaks_off_after_the_execution() -> None:
    async with trading(Fault(FaultKind.WRONG_LENGTH, longer=True)) as floor:
        with pytest.raises(aiohttp.ClientPayloadError):
            await floor.trader.buy()
        assert orders(floor) == 1


async def test_too_short_a_length_cuts_the_body_off() -> None:
    async with trading(Fault(FaultKind.WRONG_LENGTH, longer=False)) as floor:
        url = urlsplit(floor.trader.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        assert int(length.split(b":")[1]) == len(body) // 2


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (FaultKind.RATE_LIMITED, 429, b'"code":-1003'),
        (FaultKind.BANNED, 418, b"IP banned until "),
        (FaultKind.UNAVAILABLE_DEFINITE, 503, b'"Service Unavailable."'),
        (FaultKind.THROTTLED, 503, b'"code":-1008'),
        (FaultKind.INTERNAL, 500, b'"code":-1001'),
        (FaultKind.MAINTENANCE, 503, b"System is under maintenance."),
        (FaultKind.HTML, 502, b"<html>"),
    ],
)
async def test_a_definite_failure_executes_nothing(kind: FaultKind, status: int, words: bytes) -> None:
    async with trading(Fault(kind)) as floor:
        reply = await floor.trader.buy()
        assert reply.status == status
        assert words in reply.raw
        assert orders(floor) == 0


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (FaultKind.UNAVAILABLE_UNKNOWN, 503, b"Unknown error, please check your request or try again later."),
        (FaultKind.TIMEOUT_UNKNOWN, 408, b'"code":-1007'),
    ],
)
@pytest.mark.parametrize("executed", [True, False])
async def test_an_ambiguous_failure_looks_the_same_whether_executed_or_not(
    kind: FaultKind, status: int, words: bytes, executed: bool
) -> None:
    async with trading(Fault(kind, executed=executed)) as floor:
        reply = await floor.trader.buy()
        assert reply.status == status
        assert words in reply.raw
        assert orders(floor) == int(executed)


async def test_a_skewed_clock_makes_a_fresh_request_stale() -> None:
    async with trading(Fault(FaultKind.CLOCK_SKEW)) as floor:
        first, second = await floor.trader.buy(), await floor.trader.buy()
        assert (first.code, second.status, orders(floor)) == (-1021, 200, 1)


async def test_a_ban_lasts_after_the_fault() -> None:
    async with trading(Fault(FaultKind.BANNED, seconds=60)) as floor:
        replies = [await floor.trader.buy() for _ in range(3)]
        assert [reply.status for reply in replies] == [418, 418, 418]


async def test_refused_closes_the_listener_and_opens_it_again_on_the_same_port() -> None:
    async with trading() as floor:
        await floor.trader.buy()
        await floor.trader.control("POST", "faults", [{"kind": "refused", "seconds": 0.3}])
        with pytest.raises(aiohttp.ClientConnectorError):
            await floor.trader.buy()
        await asyncio.sleep(0.4)
        assert (await floor.trader.buy()).status == 200
        assert orders(floor) == 2


async def test_refused_is_a_refused_connect_for_every_client() -> None:
    async with trading(Fault(FaultKind.REFUSED, seconds=5)) as floor:
        url = urlsplit(floor.trader.url)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((url.hostname, url.port), timeout=1)


async def test_refused_on_a_path_answers_that_request_and_refuses_the_next() -> None:
    async with trading(Fault(FaultKind.REFUSED, seconds=5, path="/fapi/v1/order")) as floor:
        assert (await floor.trader.buy()).status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await floor.trader.buy()


async def test_refused_can_be_planned_from_another_thread() -> None:
    async with trading() as floor:
        await asyncio.to_thread(floor.simulator.plan.add, Fault(FaultKind.REFUSED, seconds=5))
        with pytest.raises(aiohttp.ClientConnectorError):
            await floor.trader.buy()


async def test_control_calls_meet_no_fault_and_no_limit() -> None:
    async with trading(Fault(FaultKind.HTML, times=None)) as floor:
        replies = [await floor.trader.control("GET", "executed") for _ in range(20)]
        assert {reply.status for reply in replies} == {200}
        assert floor.simulator.plan.fired == {}


async def test_faults_can_be_planned_listed_and_cleared_over_http() -> None:
    async with trading() as floor:
        await floor.trader.control("POST", "faults", [{"kind": "html", "times": 2}])
        assert (await floor.trader.buy()).status == 502
        listed = (await floor.trader.control("GET", "faults")).body
        assert [(fault["kind"], fault["remaining"]) for fault in listed["faults"]] == [("html", 1)]
        assert listed["fired"] == {"html": 1}
        await floor.trader.control("DELETE", "faults")
        assert (await floor.trader.buy()).status == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faults", [{"kind": "gremlins"}]),
        ("price", {"symbol": "NOPE", "price": 1}),
        ("price", {"symbol": "BTCUSDT", "price": 0}),
        ("clock", {"offset_seconds": "soon"}),
        ("clock", []),
    ],
)
async def test_a_control_call_that_makes_no_sense_is_refused(name: str, body: object) -> None:
    async with trading() as floor:
        reply = await floor.trader.control("POST", name, body)
        assert reply.status == 400
        assert reply.body["detail"]


async def test_executed_tells_orders_cancels_requests_and_refusals() -> None:
    async with trading() as floor:
        await floor.trader.rest(newClientOrderId="kept")
        await floor.trader.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="kept")
        await floor.trader.buy(quantity="0.0001")
        told = (await floor.trader.control("GET", "executed")).body
        assert told["counts"] == {"orders": 1, "cancels": 1, "requests": 3, "rejected": 1}
        assert [(order["client_id"], order["status"]) for order in told["orders"]] == [("kept", "CANCELED")]
        assert [cancel["client_id"] for cancel in told["cancels"]] == ["kept"]
        assert told["requests"] == {"POST /fapi/v1/order": 2, "DELETE /fapi/v1/order": 1}
        assert told["rejected"] == {"POST /fapi/v1/order 400": 1}


async def test_the_price_moves_on_command() -> None:
    async with trading() as floor:
        await floor.trader.control("POST", "price", {"symbol": "BTCUSDT", "price": "61000"})
        reply = await floor.trader.send("GET", "/fapi/v1/ticker/price?symbol=BTCUSDT")
        assert reply.body["price"] == "61000.00"


async def test_the_clock_moves_on_command() -> None:
    async with trading() as floor:
        await floor.trader.control("POST", "clock", {"offset_seconds": 30})
        assert (await floor.trader.buy()).code == -1021


async def test_a_reset_begins_anew() -> None:
    async with trading(Fault(FaultKind.HTML, path="/never")) as floor:
        await floor.trader.buy()
        await floor.trader.control("POST", "clock", {"offset_seconds": 30})
        await floor.trader.control("POST", "reset")
        assert (orders(floor), floor.simulator.plan.planned) == (0, ())
        assert (await floor.trader.buy()).status == 200
