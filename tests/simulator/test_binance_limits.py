"""Weights, order counts and bans."""

import pytest

from sidecar.clock import VirtualClock
from sidecar.simulator.binance import BinanceBroker, Limits
from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.limits import Meter
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.weights import weight_of
from tests.simulator.binance_support import trading

MINUTE_START = 1_800_000_000.0


def refusal_of(meter: Meter, now: float, weight: int = 1) -> BinanceError | None:
    try:
        meter.admit("peer", weight, now)
    except BinanceError as error:
        return error
    return None


def test_weight_up_to_the_limit_passes() -> None:
    meter = Meter(Limits(weight_per_minute=10))
    assert refusal_of(meter, MINUTE_START, 10) is None


def test_weight_over_the_limit_is_answered_429() -> None:
    meter = Meter(Limits(weight_per_minute=10))
    refusal = refusal_of(meter, MINUTE_START, 11)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (429, -1003)


def test_windows_are_aligned_to_the_minute() -> None:
    meter = Meter(Limits(weight_per_minute=10))
    refusal_of(meter, MINUTE_START + 59.9, 10)
    assert refusal_of(meter, MINUTE_START + 60, 10) is None


def test_going_on_over_the_limit_ends_in_a_ban_with_its_end_in_the_text() -> None:
    meter = Meter(Limits(weight_per_minute=1, patience=2, ban_seconds=120))
    statuses = [refusal.status for _ in range(5) if (refusal := refusal_of(meter, MINUTE_START))]
    assert statuses == [429, 429, 418, 418]
    refusal = refusal_of(meter, MINUTE_START + 100)
    assert refusal is not None
    assert f"IP banned until {int((MINUTE_START + 120) * 1000)}." in refusal.message


def test_a_ban_ends() -> None:
    meter = Meter(Limits(weight_per_minute=1, patience=0, ban_seconds=120))
    refusal_of(meter, MINUTE_START, 2)
    assert refusal_of(meter, MINUTE_START + 119.9) is not None
    assert refusal_of(meter, MINUTE_START + 120) is None


def test_each_ban_lasts_twice_as_long_as_the_one_before() -> None:
    meter = Meter(Limits(weight_per_minute=1, patience=0, ban_seconds=120))
    refusal_of(meter, MINUTE_START, 2)
    refusal_of(meter, MINUTE_START + 120, 2)
    assert refusal_of(meter, MINUTE_START + 120 + 239.9) is not None
    assert refusal_of(meter, MINUTE_START + 120 + 240) is None


def test_the_truth_about_the_highest_window_is_kept() -> None:
    meter = Meter(Limits(weight_per_minute=10))
    for now, weight in ((0.0, 3), (60.0, 14), (120.0, 2)):
        refusal_of(meter, MINUTE_START + now, weight)
    assert meter.highest_weight == 14


def test_orders_are_counted_in_both_windows() -> None:
    meter = Meter(Limits(orders_per_10_seconds=2, orders_per_minute=3))
    meter.count_orders("key", 2, 2, MINUTE_START)
    with pytest.raises(BinanceError, match="2 orders per TEN_SECONDS"):
        meter.count_orders("key", 1, 1, MINUTE_START + 9)
    with pytest.raises(BinanceError, match="3 orders per MINUTE"):
        meter.count_orders("key", 1, 1, MINUTE_START + 10)
    assert meter.highest_orders == (3, 4)


@pytest.mark.parametrize(
    ("method", "path", "parameters", "weight"),
    [
        ("POST", "/fapi/v1/order", {}, 0),
        ("DELETE", "/fapi/v1/order", {}, 1),
        ("POST", "/fapi/v1/algoOrder", {}, 0),
        ("POST", "/fapi/v1/batchOrders", {}, 5),
        ("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, 1),
        ("GET", "/fapi/v1/openOrders", {}, 40),
        ("GET", "/fapi/v3/account", {}, 5),
        ("GET", "/fapi/v1/depth", {"limit": "50"}, 2),
        ("GET", "/fapi/v1/depth", {}, 10),
        ("GET", "/fapi/v1/depth", {"limit": "1000"}, 20),
        ("GET", "/fapi/v1/klines", {"limit": "99"}, 1),
        ("GET", "/fapi/v1/klines", {"limit": "100"}, 2),
        ("GET", "/fapi/v1/klines", {"limit": "1500"}, 10),
        ("GET", "/fapi/v1/ticker/price", {}, 2),
        ("GET", "/fapi/v1/income", {}, 30),
        ("GET", "/api/v3/exchangeInfo", {}, 20),
    ],
)
def test_an_endpoint_costs_what_its_documentation_says(
    method: str, path: str, parameters: dict[str, str], weight: int
) -> None:
    assert weight_of(method, path, Parameters(parameters)) == weight


async def test_every_answer_tells_the_weight_used_and_orders_their_counts() -> None:
    clock = VirtualClock()
    async with trading(broker=BinanceBroker(clock=clock)) as floor:
        await floor.trader.send("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        now_ms = int(clock.now() * 1000)
        ordered = await floor.trader.buy(timestamp=now_ms)
        rejected = await floor.trader.buy(timestamp=now_ms, symbol="NOPE")
        assert ordered.headers["X-MBX-USED-WEIGHT-1M"] == "2"
        assert ordered.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        assert ordered.headers["X-MBX-ORDER-COUNT-1M"] == "1"
        assert rejected.headers["X-MBX-USED-WEIGHT-1M"] == "2"
        assert "X-MBX-ORDER-COUNT-10S" not in rejected.headers


async def test_an_order_over_the_count_is_not_executed() -> None:
    broker = BinanceBroker(clock=(clock := VirtualClock()), limits=Limits(orders_per_10_seconds=2))
    async with trading(broker=broker) as floor:
        replies = [await floor.trader.buy(timestamp=int(clock.now() * 1000)) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[-1].code == -1015
        assert len(floor.simulator.executed().orders) == 2


async def test_the_futures_never_send_retry_after_and_spot_does() -> None:
    small = Limits(weight_per_minute=1)
    broker = BinanceBroker(limits=small, spot_limits=Limits(weight_per_minute=1, retry_after=True))
    async with trading(broker=broker) as floor:
        futures = await floor.trader.send("GET", "/fapi/v1/depth?symbol=BTCUSDT")
        spot = await floor.trader.send("GET", "/api/v3/depth?symbol=BTCUSDT")
        assert (futures.status, spot.status) == (429, 429)
        assert "Retry-After" not in futures.headers
        assert 1 <= int(spot.headers["Retry-After"]) <= 61


async def test_exchange_info_tells_the_limits_that_are_enforced() -> None:
    broker = BinanceBroker(limits=Limits(weight_per_minute=77, orders_per_10_seconds=5, orders_per_minute=9))
    async with trading(broker=broker) as floor:
        limits = (await floor.trader.send("GET", "/fapi/v1/exchangeInfo")).body["rateLimits"]
        told = {(limit["rateLimitType"], limit["interval"], limit["intervalNum"]): limit["limit"] for limit in limits}
        assert told == {("REQUEST_WEIGHT", "MINUTE", 1): 77, ("ORDERS", "MINUTE", 1): 9, ("ORDERS", "SECOND", 10): 5}
