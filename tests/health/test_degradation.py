"""How much of a broker may be used: what moves it, who may, and how it is told."""

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.clock import VirtualClock
from sidecar.config.model import Broker
from sidecar.health.condition import Condition
from sidecar.health.degradation import Degradation
from sidecar.health.setup import Ruled, condition, ruled
from sidecar.telemetry.events import (
    AttemptFinished,
    BreakerTransition,
    Bus,
    DegradationChanged,
    Event,
    GateOpened,
    GateShut,
    LimitReading,
    LimitReset,
)
from sidecar.words import BreakerState, DegradationCause, DegradationLevel, Outcome

NONE, RATE_LIMITED, CACHED_DATA, READ_ONLY, EMERGENCY = DegradationLevel
CLOSED, OPEN, FORCED_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.FORCED_OPEN


class Bench:
    """A broker's degradation level, listening to a bus, with what it told."""

    def __init__(self, settings: dict[str, Any] | None = None, **others: Any) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(self.clock)
        self.told: list[DegradationChanged] = []
        self.bus.subscribe(DegradationChanged, self.told.append)
        given = {"profile": "binance-usdm", "base_url": "http://x", "degradation": settings or {}}
        self.broker = Broker.model_validate(given | others)
        self.condition: Condition = condition(
            "binance", self.broker.maintenance, bus=self.bus, clock=self.clock, rng=Random(1)
        )
        self.ruled: Ruled = ruled("binance", self.broker, self.condition, bus=self.bus, clock=self.clock)
        self.degradation: Degradation = self.ruled.level

    def adopt(self, settings: dict[str, Any] | None = None, **others: Any) -> None:
        """A reload with these settings."""
        given = {"profile": "binance-usdm", "base_url": "http://x", "degradation": settings or {}}
        self.ruled.adopt(Broker.model_validate(given | others))

    @property
    def level(self) -> DegradationLevel:
        return self.degradation.reading().level

    @property
    def path(self) -> list[DegradationLevel]:
        return [told.to_level for told in self.told]

    def attempt(self, outcome: Outcome, status: int = 200, broker: str = "binance") -> None:
        self.bus.emit(AttemptFinished(broker, "get_order", 1, outcome, "server_error", "", status, 0.0, 0.1))

    def breaker(self, state: BreakerState, group: str = "orders", retry_in: float | None = None) -> None:
        self.bus.emit(BreakerTransition("binance", group, CLOSED, state, "failures", retry_in))

    def limited(self, seconds: float = 10, outcome: Outcome = Outcome.RATE_LIMITED, broker: str = "binance") -> None:
        self.bus.emit(GateShut(broker, outcome, seconds, self.clock.now() + seconds))


def test_a_429_holds_market_data_back_until_a_minute_after_the_gate_has_opened() -> None:
    bench = Bench()
    bench.limited(10)
    assert (bench.level, bench.degradation.market_data_share) == (RATE_LIMITED, 0.5)
    bench.clock.advance(10)
    bench.bus.emit(GateOpened("binance"))
    bench.clock.advance(59.9)
    assert bench.level is RATE_LIMITED
    bench.clock.advance(0.1)
    assert (bench.level, bench.degradation.market_data_share) == (NONE, 1.0)


def test_a_gate_that_opens_unheard_is_over_at_its_time() -> None:
    bench = Bench()
    bench.limited(10)
    bench.clock.advance(70)
    assert bench.level is NONE


def test_a_person_who_resets_the_limits_ends_what_they_demanded() -> None:
    bench = Bench()
    bench.limited(3600)
    bench.bus.emit(LimitReset("binance", "new address"))
    bench.clock.advance(60)
    assert bench.level is NONE


def test_an_open_breaker_demands_its_level_until_it_may_try_again() -> None:
    bench = Bench()
    bench.breaker(OPEN, "pricing", retry_in=60)
    assert (bench.level, bench.told[-1].cause, bench.told[-1].note) == (
        CACHED_DATA,
        DegradationCause.BREAKER_OPEN,
        "pricing",
    )
    bench.clock.advance(119)
    assert bench.level is CACHED_DATA
    bench.clock.advance(1)
    assert bench.level is RATE_LIMITED
    bench.clock.advance(60)
    assert bench.level is NONE


def test_by_default_no_trouble_at_all_refuses_an_order() -> None:
    bench = Bench()
    bench.breaker(OPEN, retry_in=60)
    bench.breaker(FORCED_OPEN, "accounts")
    bench.limited(600, Outcome.BANNED)
    for _ in range(100):
        bench.attempt(Outcome.MAINTENANCE, 503)
        bench.attempt(Outcome.UNKNOWN, 500)
    assert bench.level is CACHED_DATA


def test_who_prefers_calm_refuses_new_risk_while_orders_fail() -> None:
    bench = Bench({"rules": {"orders_breaker_open": "read_only"}})
    bench.breaker(OPEN, "pricing", retry_in=60)
    assert bench.level is CACHED_DATA
    bench.breaker(OPEN, "orders", retry_in=60)
    assert bench.level is READ_ONLY


def test_a_breaker_that_waits_for_a_call_to_try_demands_nothing_so_that_there_can_be_one() -> None:
    bench = Bench({"rules": {"orders_breaker_open": "read_only"}, "recovery_seconds": 5})
    bench.breaker(OPEN, retry_in=60)
    bench.clock.advance(65)
    assert bench.level is CACHED_DATA


def test_a_breaker_that_a_person_forced_open_demands_its_level_until_it_is_closed() -> None:
    bench = Bench()
    bench.breaker(FORCED_OPEN)
    bench.clock.advance(100_000)
    assert bench.level is CACHED_DATA
    bench.breaker(CLOSED)
    bench.clock.advance(120)
    assert bench.level is NONE


def test_a_breaker_that_only_watches_demands_nothing() -> None:
    bench = Bench(breaker={"groups": {"orders": {"mode": "shadow"}}})
    bench.breaker(OPEN, retry_in=60)
    assert bench.level is NONE
    bench.breaker(OPEN, "pricing", retry_in=60)
    assert bench.level is CACHED_DATA


def test_a_broker_that_is_away_demands_its_level_until_it_is_back() -> None:
    bench = Bench()
    bench.attempt(Outcome.MAINTENANCE, 503)
    bench.clock.advance(5000)
    assert (bench.level, bench.degradation.reading().cause) == (CACHED_DATA, DegradationCause.MAINTENANCE)
    bench.attempt(Outcome.OK)
    bench.clock.advance(120)
    assert bench.level is NONE


def test_a_start_inside_a_planned_window_knows_its_level() -> None:
    bench = Bench(maintenance={"windows": [{"starts": "* * * * *", "seconds": 60}]})
    assert bench.level is CACHED_DATA


def test_half_of_twenty_attempts_that_fail_are_trouble() -> None:
    bench = Bench(maintenance={"consecutive_failures": 1000})
    for _ in range(9):
        bench.attempt(Outcome.OK)
        bench.attempt(Outcome.TRANSIENT, 500)
    bench.attempt(Outcome.OK)
    assert bench.level is NONE
    bench.attempt(Outcome.TRANSIENT, 500)
    assert (bench.level, bench.degradation.reading().cause) == (CACHED_DATA, DegradationCause.ERRORS)


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.FATAL, Outcome.RATE_LIMITED, Outcome.BANNED])
def test_an_answer_to_the_point_or_a_rate_limit_is_no_error(outcome: Outcome) -> None:
    bench = Bench()
    for _ in range(100):
        bench.attempt(outcome, 400)
    assert bench.level is NONE


def test_errors_are_over_when_nothing_has_failed_for_a_window_even_if_nobody_calls() -> None:
    bench = Bench(maintenance={"consecutive_failures": 1000})
    for _ in range(20):
        bench.attempt(Outcome.TRANSIENT, 500)
    bench.clock.advance(60 + 60 + 60)
    assert bench.level is NONE


def test_a_limit_that_is_used_up_to_the_configured_share_counts() -> None:
    bench = Bench({"limit_share": 0.8})
    bench.bus.emit(LimitReading("binance", "weight_1m", 1900, 2400, 0))
    assert bench.level is NONE
    bench.bus.emit(LimitReading("binance", "weight_1m", 1920, 2400, 0))
    assert bench.level is RATE_LIMITED
    bench.bus.emit(LimitReading("binance", "weight_1m", 10, 2400, 0))
    bench.clock.advance(60)
    assert bench.level is NONE


def test_a_rule_can_be_turned_off() -> None:
    bench = Bench({"rules": {"rate_limited": "none"}})
    bench.limited()
    assert (bench.level, bench.told) == (NONE, [])


def test_what_happens_to_another_broker_is_no_concern() -> None:
    bench = Bench({"limit_share": 0.1})
    bench.limited(broker="oanda")
    bench.bus.emit(LimitReading("oanda", "weight_1m", 2400, 2400, 0))
    bench.bus.emit(BreakerTransition("oanda", "orders", CLOSED, OPEN, "failures", 60))
    for _ in range(50):
        bench.attempt(Outcome.MAINTENANCE, 503, broker="oanda")
    assert bench.told == []


# By hand


def test_what_a_person_sets_holds_for_its_time_and_not_longer() -> None:
    bench = Bench()
    bench.degradation.degrade(READ_ONLY, "flat", 600)
    reading = bench.degradation.reading()
    assert (reading.level, reading.cause, reading.note) == (READ_ONLY, DegradationCause.MANUAL, "flat")
    assert reading.until == reading.next_step == bench.clock.now() + 600
    bench.clock.advance(600)
    assert bench.level is NONE
    assert [told.cause for told in bench.told] == [DegradationCause.MANUAL, DegradationCause.EXPIRED]


def test_what_a_person_sets_is_a_floor_that_the_rules_may_exceed() -> None:
    bench = Bench({"rules": {"maintenance": "emergency"}})
    bench.degradation.degrade(READ_ONLY, "flat", 600)
    bench.attempt(Outcome.MAINTENANCE, 503)
    assert bench.level is EMERGENCY
    bench.attempt(Outcome.OK)
    bench.clock.advance(300)
    assert bench.level is READ_ONLY
    bench.clock.advance(300)
    assert bench.level is NONE


def test_recovery_by_hand_is_at_once_and_forgets_what_the_rules_remember() -> None:
    bench = Bench()
    bench.degradation.degrade(EMERGENCY, "fire", 600)
    bench.attempt(Outcome.MAINTENANCE, 503)
    bench.degradation.recover("it was a drill")
    assert (bench.level, bench.degradation.reading().cause) == (NONE, None)
    assert bench.told[-1] == DegradationChanged("binance", EMERGENCY, NONE, DegradationCause.MANUAL, "it was a drill")


def test_what_goes_wrong_after_a_recovery_by_hand_counts_again() -> None:
    bench = Bench()
    bench.limited()
    bench.degradation.recover("try")
    bench.limited()
    assert bench.level is RATE_LIMITED


def test_what_a_person_says_is_told_even_when_it_changes_nothing() -> None:
    bench = Bench()
    bench.degradation.recover("to be sure")
    assert bench.told == [DegradationChanged("binance", NONE, NONE, DegradationCause.MANUAL, "to be sure")]


def test_without_automatic_recovery_a_rule_holds_until_a_person_ends_it() -> None:
    bench = Bench({"auto_recovery": False})
    bench.limited(1)
    bench.clock.advance(1_000_000)
    assert (bench.level, bench.degradation.reading().next_step) == (RATE_LIMITED, None)
    bench.degradation.recover("seen")
    assert bench.level is NONE


# In time


def test_it_steps_down_and_tells_so_while_nobody_asks() -> None:
    bench = Bench()

    async def main() -> list[float]:
        running = asyncio.create_task(bench.degradation.run())
        await asyncio.sleep(0)
        moments: list[float] = []
        bench.bus.subscribe(DegradationChanged, lambda _: moments.append(bench.clock.monotonic()))
        bench.breaker(OPEN, retry_in=30)
        await bench.clock.sleep(300)
        bench.degradation.degrade(READ_ONLY, "flat", 100)
        await bench.clock.sleep(300)
        running.cancel()
        return moments

    assert bench.clock.run(main()) == pytest.approx([0, 90, 150, 300, 400], abs=0.01)
    assert bench.path == [CACHED_DATA, RATE_LIMITED, NONE, READ_ONLY, NONE]


def test_each_step_is_told_with_the_moment_at_which_it_began() -> None:
    bench = Bench()
    bench.limited(10)
    since = bench.degradation.reading().since
    bench.clock.advance(30)
    assert bench.degradation.reading().since == since
    assert bench.degradation.reading().next_step == pytest.approx(since + 70)


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 150)),
        st.tuples(st.just("limited"), st.floats(1, 120)),
        st.tuples(st.just("opened"), st.just(0.0)),
        st.tuples(st.just("breaker"), st.floats(1, 900)),
        st.tuples(st.just("closed"), st.just(0.0)),
        st.tuples(st.just("away"), st.just(0.0)),
        st.tuples(st.just("failed"), st.just(0.0)),
        st.tuples(st.just("fine"), st.just(0.0)),
    ),
    max_size=60,
)


def happens(bench: Bench, what: str, seconds: float) -> None:
    match what:
        case "limited":
            bench.limited(seconds)
        case "opened":
            bench.bus.emit(GateOpened("binance"))
        case "breaker":
            bench.breaker(OPEN, retry_in=seconds)
        case "closed":
            bench.breaker(CLOSED)
        case "away":
            bench.attempt(Outcome.MAINTENANCE, 503)
        case "failed":
            bench.attempt(Outcome.TRANSIENT, 500)
        case "fine":
            bench.attempt(Outcome.OK)


@given(happenings)
@settings(max_examples=200, deadline=None)
def test_no_sequence_of_events_makes_the_level_swing(history: list[tuple[str, float]]) -> None:
    rules = {"maintenance": "read_only", "orders_breaker_open": "emergency"}
    bench = Bench({"rules": rules, "minimum_calls": 2})
    changes: list[tuple[float, DegradationChanged]] = []
    bench.bus.subscribe(DegradationChanged, lambda event: changes.append((bench.clock.monotonic(), event)))

    async def main() -> None:
        running = asyncio.create_task(bench.degradation.run())
        for what, seconds in (*history, ("closed", 0.0), ("fine", 0.0), ("wait", 3000.0)):
            if what == "wait":
                await bench.clock.sleep(seconds)
            happens(bench, what, seconds)
        running.cancel()

    bench.clock.run(main())
    entered = 0.0
    for at, event in changes:
        if event.to_level.rank < event.from_level.rank:
            assert event.from_level.rank - event.to_level.rank == 1
            assert at - entered >= 60 - 0.01
        entered = at
    assert bench.level is NONE
    assert all(isinstance(event, Event) for _, event in changes)


# Other rules while it runs


def test_a_stricter_rule_holds_at_once_for_what_goes_on_and_a_milder_one_step_by_step() -> None:
    bench = Bench()
    bench.breaker(OPEN)
    assert bench.level is CACHED_DATA
    bench.adopt({"rules": {"orders_breaker_open": "read_only"}})
    assert bench.level is READ_ONLY
    bench.adopt({"rules": {"orders_breaker_open": "none"}})
    assert bench.level is READ_ONLY
    bench.clock.advance(60)
    assert bench.level is CACHED_DATA
    bench.clock.advance(120)
    assert bench.level is NONE


def test_a_rule_that_is_switched_on_hears_what_happens_from_then_on() -> None:
    bench = Bench({"rules": {"errors": "none", "degraded": "none"}})
    for _ in range(30):
        bench.attempt(Outcome.TRANSIENT)
    bench.adopt({"rules": {"errors": "read_only", "degraded": "none"}, "minimum_calls": 5})
    assert bench.level is NONE
    for _ in range(5):
        bench.attempt(Outcome.TRANSIENT)
    assert bench.level is READ_ONLY


def test_a_share_of_limits_that_is_switched_on_counts() -> None:
    bench = Bench()
    bench.adopt({"limit_share": 0.5})
    bench.bus.emit(LimitReading("binance", "weight_1m", 1300, 2400, bench.clock.now()))
    assert bench.level is RATE_LIMITED


def test_a_broker_that_is_away_is_judged_by_a_new_rule_for_it() -> None:
    bench = Bench({"rules": {"maintenance": "none"}})
    for _ in range(3):
        bench.attempt(Outcome.MAINTENANCE, 503)
    assert bench.level is NONE
    bench.adopt({"rules": {"maintenance": "read_only"}})
    assert bench.level is READ_ONLY


def test_what_a_person_has_forgiven_is_not_brought_up_again_by_a_reload_that_changes_nothing_of_it() -> None:
    bench = Bench()
    for _ in range(3):
        bench.attempt(Outcome.MAINTENANCE, 503)
    bench.degradation.recover("trade on")
    bench.adopt({"rules": {"errors": "none"}})
    assert bench.level is NONE


def test_a_breaker_that_runs_in_shadow_since_a_reload_demands_nothing_any_more() -> None:
    bench = Bench({"auto_recovery": True, "recovery_seconds": 10})
    bench.breaker(OPEN)
    bench.adopt({"recovery_seconds": 10}, breaker={"mode": "shadow"})
    bench.breaker(OPEN)
    bench.clock.advance(30)
    assert bench.level is NONE


def test_a_breaker_that_no_longer_runs_in_shadow_counts_when_it_opens() -> None:
    bench = Bench(breaker={"mode": "shadow"})
    bench.adopt()
    bench.breaker(OPEN)
    assert bench.level is CACHED_DATA


def test_other_times_hold_for_the_next_step_down() -> None:
    bench = Bench()
    bench.limited(10)
    bench.bus.emit(GateOpened("binance"))
    bench.adopt({"recovery_seconds": 5})
    bench.clock.advance(5)
    assert bench.level is NONE


def test_without_recovery_by_itself_it_stays_and_market_data_goes_by_the_new_share() -> None:
    bench = Bench()
    bench.limited(10)
    bench.adopt({"auto_recovery": False, "market_data_share": 0.2})
    bench.clock.advance(1e6)
    assert (bench.level, bench.degradation.market_data_share) == (RATE_LIMITED, 0.2)
