"""What a person may look at and change of one broker."""

import asyncio

import pytest

from sidecar.calls.transport import MaybeSent
from sidecar.telemetry.events import FILLS, StreamClosed, StreamOpened
from sidecar.words import BreakerMode, BreakerState, DegradationLevel, Outcome, RefusalKind
from tests.calls.scripted import AMBIGUOUS, CANCEL, FILLED, READ, Bench, order

NONE, READ_ONLY = DegradationLevel.NONE, DegradationLevel.READ_ONLY


def test_a_call_counts_while_it_is_under_way() -> None:
    bench = Bench([FILLED], takes=5)

    async def main() -> list[int]:
        call = asyncio.create_task(bench.gateway.run(order()))
        await bench.clock.sleep(1)
        during = bench.gateway.controls.reading().in_flight
        await call
        return [during, bench.gateway.controls.reading().in_flight]

    assert bench.clock.run(main()) == [1, 0]


@pytest.mark.parametrize("group", ["orders", None])
def test_a_breaker_that_is_reset_lets_the_next_call_through(group: str | None) -> None:
    bench = Bench([AMBIGUOUS, FILLED], breaker={"failures": 1}, retry={"attempts": 1})
    bench.call(order())
    assert bench.call(order()).fate.why is RefusalKind.BREAKER_OPEN
    bench.gateway.controls.reset_breakers(group, "I looked")
    assert bench.call(order()).fate.outcome is Outcome.OK


def test_a_mode_is_set_for_one_group_and_the_others_stay() -> None:
    bench = Bench([FILLED])
    bench.gateway.controls.set_breaker_mode("orders", BreakerMode.FORCED_OPEN, "I look at it")
    states = {breaker.group: breaker.state for breaker in bench.gateway.controls.reading().breakers}
    assert states.pop("orders") is BreakerState.FORCED_OPEN
    assert set(states.values()) == {BreakerState.CLOSED}


def test_a_group_that_the_broker_does_not_have_is_refused() -> None:
    controls = Bench([FILLED]).gateway.controls
    with pytest.raises(KeyError):
        controls.reset_breakers("margin", "x")
    with pytest.raises(KeyError):
        controls.set_breaker_mode("margin", BreakerMode.AUTO, "x")


def test_a_limit_that_is_reset_has_room_again() -> None:
    bench = Bench([FILLED], limits={"windows": {"orders_10s": {"capacity": 1}}, "wait_at": 1})
    bench.call(order())
    assert bench.call(order(), deadline=1).fate.why is RefusalKind.RATE_LIMITED
    bench.gateway.controls.reset_limits("the broker has told me so")
    assert bench.call(order(), deadline=1).fate.outcome is Outcome.OK


def test_a_persons_word_sets_the_level_and_takes_it_back() -> None:
    bench = Bench([FILLED])
    bench.gateway.controls.degrade(READ_ONLY, "flat", 60)
    assert bench.gateway.controls.reading().degradation.level is READ_ONLY
    assert (bench.gateway.allows(order()), bench.gateway.allows(CANCEL)) == (False, True)
    bench.gateway.controls.recover("all clear")
    assert bench.gateway.controls.reading().degradation.level is NONE
    assert bench.gateway.allows(order())


def test_new_risk_that_is_held_back_is_told_with_its_reason_and_the_rest_goes() -> None:
    bench = Bench([FILLED])
    bench.gateway.hold.begin("no connection comes about", 30)
    assert bench.gateway.controls.reading().held == "no connection comes about"
    held = bench.call(order())
    assert (held.fate.outcome, held.fate.why, bench.attempts) == (Outcome.TRANSIENT, RefusalKind.NOT_READY, 0)
    assert {bench.call(request).fate.outcome for request in (READ, CANCEL)} == {Outcome.OK}
    bench.gateway.hold.end()
    assert bench.gateway.controls.reading().held == ""
    assert bench.call(order()).fate.outcome is Outcome.OK


def test_the_open_streams_of_this_broker_are_told_by_name() -> None:
    bench = Bench([FILLED])
    told = bench.gateway._bus.emit
    told(StreamOpened("binance", FILLS))
    told(StreamOpened("oanda", "stream_prices"))
    told(StreamClosed("binance", "stream_prices", "unopened", was_open=False))
    assert bench.gateway.controls.reading().streams == (FILLS,)
    told(StreamClosed("binance", FILLS, "lost"))
    assert bench.gateway.controls.reading().streams == ()


def test_every_label_is_known_before_the_first_call() -> None:
    bench = Bench([MaybeSent("reset", "x")], credentials={"key": "k", "secret": "s"}, stream_url="http://127.0.0.1:1")
    shape = bench.gateway.controls.shape()
    assert ("place_order", "orders") in shape.endpoints
    assert set(shape.groups) == {group for _, group in shape.endpoints}
    assert shape.streams[-1] == FILLS
    assert shape.read().name == shape.name == "binance"
