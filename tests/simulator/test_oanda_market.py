from decimal import Decimal

import pytest

from sidecar.clock import VirtualClock
from sidecar.simulator.oanda import AccountSpec, Rules
from sidecar.simulator.oanda.candles import CandleQuery, candles
from sidecar.simulator.oanda.exchange import Exchange
from sidecar.simulator.oanda.market_api import price_events
from sidecar.simulator.oanda.stamps import DatetimeFormat, Json, Stamp
from sidecar.simulator.oanda.transactions_api import transaction_events

ACCOUNT = AccountSpec().id
MARKET_ORDER = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "100"}}


def exchange(clock: VirtualClock, *, seed: int = 1, moving: bool = True) -> Exchange:
    return Exchange((AccountSpec(),), Rules(moving=moving), clock, seed=seed)


def walk(seed: int) -> list[Decimal]:
    clock = VirtualClock()
    market = exchange(clock, seed=seed)
    prices = []
    for _ in range(50):
        clock.advance(1)
        market.settle()
        prices.append(market.market.quotes["EUR_USD"].middle)
    return prices


def test_prices_move_the_same_way_under_the_same_seed() -> None:
    assert walk(3) == walk(3)
    assert len(set(walk(3))) > 3


def test_prices_move_otherwise_under_another_seed() -> None:
    assert walk(3) != walk(4)


def test_a_price_that_was_set_stays_where_nothing_moves() -> None:
    clock = VirtualClock()
    still = exchange(clock, moving=False)
    still.set_price("USD_JPY", Decimal(140))
    clock.advance(3600)
    still.settle()
    assert still.market.quotes["USD_JPY"].middle == 140


def test_an_instrument_that_is_not_traded_has_no_price() -> None:
    with pytest.raises(KeyError):
        exchange(VirtualClock()).set_price("XAU_USD", Decimal(1))


async def _collect(stream: Exchange, seconds: float, names: list[str]) -> list[tuple[float, Json]]:
    begin, told = stream.clock.monotonic(), []
    async for event in price_events(stream, names):
        passed = stream.clock.monotonic() - begin
        if passed > seconds:
            break
        told.append((passed, event))
    return told


def test_the_price_stream_begins_with_every_instrument() -> None:
    clock = VirtualClock()
    told = clock.run(_collect(exchange(clock, moving=False), 1, ["EUR_USD", "USD_JPY"]))
    assert [(at, event["instrument"]) for at, event in told] == [(0, "EUR_USD"), (0, "USD_JPY")]


def test_the_price_stream_sends_a_heartbeat_every_five_seconds() -> None:
    clock = VirtualClock()
    told = clock.run(_collect(exchange(clock, moving=False), 21, ["EUR_USD"]))
    beats = [at for at, event in told if event["type"] == "HEARTBEAT"]
    assert beats == [5, 10, 15, 20]


def test_the_price_stream_sends_at_most_four_prices_a_second() -> None:
    clock = VirtualClock()
    told = clock.run(_collect(exchange(clock), 60, ["EUR_USD"]))
    prices = [at for at, event in told if event["type"] == "PRICE"]
    assert len(prices) > 20
    assert min(later - at for at, later in zip(prices, prices[4:], strict=False)) >= 1


def test_the_transaction_stream_tells_what_happens_and_its_heartbeat_the_latest_id() -> None:
    clock = VirtualClock()
    market = exchange(clock, moving=False)

    def place() -> None:
        market.ledgers[ACCOUNT].place(MARKET_ORDER)

    async def listen() -> list[Json]:
        clock.call_later(1, place)
        told = []
        async for event in transaction_events(market, ACCOUNT):
            told.append(event)
            if event["type"] == "HEARTBEAT":
                break
        return told

    told = clock.run(listen())
    assert [event["type"] for event in told] == ["MARKET_ORDER", "ORDER_FILL", "HEARTBEAT"]
    assert told[-1]["lastTransactionID"] == "4"


def test_the_transaction_stream_follows_a_reset() -> None:
    clock = VirtualClock()
    market = exchange(clock, moving=False)

    async def listen() -> Json:
        clock.call_later(1, market.reset)
        async for event in transaction_events(market, ACCOUNT):
            return event
        return {}

    assert clock.run(listen())["type"] == "CREATE"


def test_candles_are_the_same_whenever_they_are_asked_for() -> None:
    clock = VirtualClock()
    quote = exchange(clock).market.quotes["EUR_USD"]
    now = quote.stamp.seconds
    first = candles(CandleQuery("M5", "MBA", now - 3000, now, 500), quote, 1)
    later = candles(CandleQuery("M5", "MBA", now - 1500, now, 500), quote, 1)
    assert len(first) == 10
    assert first[5:] == later


def test_only_the_candle_that_is_still_forming_is_incomplete() -> None:
    clock = VirtualClock(1_800_000_030)
    quote = exchange(clock).market.quotes["EUR_USD"]
    told = candles(CandleQuery("M1", "M", 1_800_000_000 - 300, 2e9, 500), quote, 1)
    assert [candle["complete"] for candle in told] == [True] * 5 + [False]
    assert told[-1]["mid"]["c"] == "1.10000"


def test_a_candle_reaches_over_its_open_and_its_close() -> None:
    quote = exchange(VirtualClock()).market.quotes["USD_JPY"]
    for candle in candles(CandleQuery("H1", "B", 1_799_000_000, 2e9, 200), quote, 1):
        low, *inner, high = (Decimal(candle["bid"][key]) for key in "loch")
        assert low <= min(inner)
        assert max(inner) <= high


def test_times_are_written_with_nine_decimals_in_both_formats() -> None:
    stamp = Stamp(1_477_345_698_593_753_865)
    assert stamp.write(DatetimeFormat.RFC3339) == "2016-10-24T21:48:18.593753865Z"
    assert stamp.write(DatetimeFormat.UNIX) == "1477345698.593753865"


@pytest.mark.parametrize("text", ["1477345698.5", "2016-10-24T21:48:18.500000000Z", "2016-10-24T23:48:18.5+02:00"])
def test_times_are_read_in_both_formats(text: str) -> None:
    assert Stamp.parse(text) == Stamp.at(1_477_345_698.5)


@pytest.mark.parametrize("text", ["", "soon", "NaN", "Infinity", "1e30", "-1"])
def test_what_is_no_time_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Stamp.parse(text)
