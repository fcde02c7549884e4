"""Keys, signatures and time windows, as Binance checks them."""

import time

import pytest

from sidecar.simulator.binance import BinanceBroker, Credentials
from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.signing import check_signature, check_time, sign
from tests.simulator.binance_support import Trader, trading

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("symbol=BTCUSDT&timestamp=1", ""),
        ("", "symbol=BTCUSDT&timestamp=1"),
        ("symbol=BTCUSDT", "timestamp=1"),
        ("list=%5B%22a%3Ab%22%5D&path=a%2Fb", ""),
    ],
)
def test_query_and_body_are_signed_as_they_were_sent(query: str, body: str) -> None:
    signature = f"&signature={sign('s', query + body)}"
    in_body = bool(body)
    check_signature("s", query if in_body else query + signature, body + signature if in_body else body)


def test_a_percent_encoding_that_was_rewritten_breaks_the_signature() -> None:
    signature = sign("s", "path=a%2Fb")
    with pytest.raises(BinanceError, match="Signature"):
        check_signature("s", f"path=a/b&signature={signature}", "")


def test_no_signature_at_all_is_a_missing_parameter() -> None:
    with pytest.raises(BinanceError) as refusal:
        check_signature("s", "timestamp=1", "")
    assert refusal.value.code == -1102


@pytest.mark.parametrize("age_ms", [-999, 0, 5000])
def test_a_request_inside_the_window_is_fresh(age_ms: int) -> None:
    check_time(Parameters({"timestamp": str(NOW - age_ms)}), NOW)


@pytest.mark.parametrize("age_ms", [-1000, 5001])
def test_a_request_outside_the_window_is_refused(age_ms: int) -> None:
    with pytest.raises(BinanceError) as refusal:
        check_time(Parameters({"timestamp": str(NOW - age_ms)}), NOW)
    assert refusal.value.code == -1021


def test_the_window_is_as_wide_as_the_request_says() -> None:
    check_time(Parameters({"timestamp": str(NOW - 9000), "recvWindow": "10000"}), NOW)


async def test_a_wrong_secret_is_a_bad_signature() -> None:
    async with trading() as floor:
        stranger = Trader(floor.trader.session, floor.trader.url, secret="wrong")
        assert (await stranger.buy()).code == -1022
        assert floor.simulator.executed().orders == ()


async def test_an_unknown_key_is_refused() -> None:
    async with trading() as floor:
        stranger = Trader(floor.trader.session, floor.trader.url, key="wrong")
        reply = await stranger.buy()
        assert (reply.status, reply.code) == (401, -2015)


async def test_a_missing_key_is_refused() -> None:
    async with trading() as floor:
        reply = await floor.trader.send("GET", "/fapi/v3/account", headers={"X-MBX-APIKEY": ""})
        assert (reply.status, reply.code) == (401, -2014)


async def test_a_form_body_counts_as_well_as_a_query() -> None:
    async with trading() as floor:
        body = f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&timestamp={int(time.time() * 1000)}"
        reply = await floor.trader.send("POST", "/fapi/v1/order", f"{body}&signature={sign('demo-secret', body)}")
        assert reply.status == 200


async def test_each_account_has_books_of_its_own() -> None:
    broker = BinanceBroker(accounts=[Credentials("one", "s1"), Credentials("two", "s2")])
    async with trading(broker=broker) as floor:
        session, url = floor.trader.session, floor.trader.url
        one, two = Trader(session, url, "one", "s1"), Trader(session, url, "two", "s2")
        await one.rest()
        assert len((await one.signed("GET", "/fapi/v1/openOrders")).body) == 1
        assert (await two.signed("GET", "/fapi/v1/openOrders")).body == []


@pytest.mark.parametrize("body", ["\ufffd&=&&", "quantity=%FF%FE", "a=" + "9" * 5000])
async def test_a_body_that_is_nonsense_is_refused_in_the_exchanges_envelope(body: str) -> None:
    async with trading() as floor:
        reply = await floor.trader.send("POST", "/fapi/v1/order", body)
        assert (reply.status, reply.code) == (400, -1102)


async def test_a_path_that_does_not_exist_is_refused_in_the_exchanges_envelope() -> None:
    async with trading() as floor:
        reply = await floor.trader.send("GET", "/fapi/v1/nothing")
        assert (reply.status, reply.code) == (404, -5000)
