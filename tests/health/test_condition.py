"""A broker that is away is left alone, looked at patiently, and back at once when anything gets through."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.calls.admission import CALL, Entry
from sidecar.clock import VirtualClock
from sidecar.config.model import Maintenance
from sidecar.health.condition import Condition
from sidecar.health.setup import condition
from sidecar.telemetry.events import AttemptFinished, BrokerStateChanged, Bus, GateShut
from sidecar.words import BrokerState, Outcome

FRIDAY_EVENING = 1_800_046_800.0  # 2027-01-15 21:00 UTC, 16:00 in New York


class Bench:
    """A condition on a virtual clock, with what it told."""

    def __init__(self, *, now: float = FRIDAY_EVENING, seed: int = 1, **settings: object) -> None:
        self.clock = VirtualClock(now)
        self.bus = Bus(self.clock)
        self.told: list[BrokerStateChanged] = []
        self.bus.subscribe(BrokerStateChanged, self.told.append)
        policy = Maintenance.model_validate(settings)
        self.condition: Condition = condition("binance", policy, bus=self.bus, clock=self.clock, rng=Random(seed))

    def attempt(
        self, outcome: Outcome, status: int | None = 200, *, took: float = 0.0, reason: str = "server_error"
    ) -> None:
        started = self.clock.now() - took
        self.bus.emit(AttemptFinished("binance", "get_order", 1, outcome, reason, "", status, started, took))

    def away(self) -> None:
        self.attempt(Outcome.MAINTENANCE, 503)

    @property
    def state(self) -> BrokerState:
        return self.condition.state

    def probes(self) -> bool:
        """Whether the next call is let in as the probe."""
        entry = self.enters()
        return entry is not None and entry.probe > 0

    def enters(self, *, reserved: bool = False) -> Entry | None:
        return self.condition.enter(reserved=reserved)


def test_one_maintenance_answer_is_enough() -> None:
    bench = Bench()
    bench.away()
    assert bench.state is BrokerState.MAINTENANCE
    assert bench.enters() is None
    assert [(told.to_state, told.reason, told.consecutive_503) for told in bench.told] == [
        (BrokerState.MAINTENANCE, "503", 1)
    ]


@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.UNKNOWN])
def test_three_503s_in_a_row_mean_maintenance_whatever_they_say(outcome: Outcome) -> None:
    bench = Bench()
    bench.attempt(outcome, 503)
    bench.attempt(outcome, 503)
    assert bench.state is BrokerState.OK
    bench.attempt(outcome, 503)
    assert bench.state is BrokerState.MAINTENANCE


def test_a_broker_that_never_said_that_it_is_away_is_looked_at_at_once() -> None:
    bench = Bench()
    for _ in range(3):
        bench.attempt(Outcome.TRANSIENT, 503)
    assert bench.probes()
    bench.attempt(Outcome.TRANSIENT, 503)
    assert bench.enters() is None
    assert bench.condition.probe_in() > 20


def test_a_success_between_the_503s_starts_the_row_anew() -> None:
    bench = Bench()
    for outcome, status in [(Outcome.TRANSIENT, 503)] * 2 + [(Outcome.OK, 200)] + [(Outcome.TRANSIENT, 503)] * 2:
        bench.attempt(outcome, status)
    assert bench.state is BrokerState.OK


def test_five_other_failures_degrade_it_and_calls_go_on() -> None:
    bench = Bench()
    for _ in range(5):
        bench.attempt(Outcome.TRANSIENT, None)
    assert bench.state is BrokerState.DEGRADED
    assert bench.enters() is CALL
    assert 3 <= bench.condition.probe_in() <= 7


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.FATAL, Outcome.OK])
def test_any_answer_to_the_point_shows_that_it_is_back(outcome: Outcome) -> None:
    bench = Bench()
    bench.away()
    bench.attempt(outcome)
    assert bench.state is BrokerState.OK
    assert bench.enters() is CALL


def test_rate_limits_say_nothing_about_its_condition() -> None:
    bench = Bench()
    for _ in range(50):
        bench.attempt(Outcome.RATE_LIMITED, 429)
    assert bench.state is BrokerState.OK
    bench.away()
    bench.attempt(Outcome.RATE_LIMITED, 429)
    assert bench.state is BrokerState.MAINTENANCE


def test_pauses_double_from_thirty_seconds_to_fifteen_minutes() -> None:
    bench = Bench(jitter=0)
    pauses = []
    for _ in range(8):
        bench.away()
        pauses.append(bench.condition.probe_in())
        bench.clock.advance(pauses[-1])
    assert pauses == pytest.approx([30, 60, 120, 240, 480, 900, 900, 900])


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_pauses_stay_within_thirty_percent(seed: int, rounds: int) -> None:
    bench = Bench(seed=seed)
    for number in range(rounds):
        bench.away()
        exact = min(900.0, 30.0 * 2**number)
        assert 0.7 * exact - 1e-6 <= bench.condition.probe_in() <= 1.3 * exact + 1e-6
        bench.clock.advance(bench.condition.probe_in() + 0.001)


def test_calls_that_fail_together_are_one_failure() -> None:
    bench = Bench(jitter=0)
    bench.away()
    bench.clock.advance(1)
    for _ in range(20):
        bench.attempt(Outcome.MAINTENANCE, 503, took=5)
    assert bench.condition.probe_in() == pytest.approx(29)


def test_one_call_is_let_in_when_a_probe_is_due_and_no_second_one() -> None:
    bench = Bench(jitter=0)
    bench.away()
    bench.clock.advance(29.9)
    assert bench.enters() is None
    bench.clock.advance(0.1)
    assert bench.probes()
    assert bench.enters() is None


def test_a_probe_that_was_never_made_leaves_its_place_to_the_next() -> None:
    bench = Bench(jitter=0)
    bench.away()
    bench.clock.advance(30)
    entry = bench.enters()
    assert entry is not None
    bench.condition.drop(entry)
    assert bench.probes()


def test_cancels_pass_while_maintenance_is_only_suspected() -> None:
    bench = Bench()
    for _ in range(3):
        bench.attempt(Outcome.TRANSIENT, 503)
    assert all(bench.enters(reserved=True) is CALL for _ in range(5))


def test_a_broker_that_asks_for_less_is_not_away() -> None:
    bench = Bench()
    for _ in range(10):
        bench.attempt(Outcome.TRANSIENT, 503, reason="throttled")
    assert bench.state is BrokerState.OK


def test_a_dropped_claim_that_is_no_longer_the_newest_frees_nobody_elses_place() -> None:
    bench = Bench(jitter=0)
    bench.away()
    bench.clock.advance(30)
    first = bench.enters()
    assert first is not None
    bench.away()
    bench.clock.advance(60)
    assert bench.probes()
    bench.condition.drop(first)
    assert bench.enters() is None


def test_a_cancel_is_tried_during_maintenance_once_a_second() -> None:
    bench = Bench()
    bench.away()
    assert bench.enters(reserved=True) is CALL
    assert bench.enters(reserved=True) is None
    bench.clock.advance(1)
    assert bench.enters(reserved=True) is CALL


def test_a_ban_is_a_condition_until_the_broker_answers_again() -> None:
    bench = Bench()
    bench.bus.emit(GateShut("binance", Outcome.BANNED, 120, bench.clock.now() + 120))
    assert bench.state is BrokerState.BANNED
    assert not bench.condition.reading().can_trade
    assert bench.condition.probe_in() == pytest.approx(120)
    bench.attempt(Outcome.OK)
    assert bench.condition.reading().can_trade


def test_a_shut_gate_without_a_ban_is_no_condition() -> None:
    bench = Bench()
    bench.bus.emit(GateShut("binance", Outcome.RATE_LIMITED, 30, bench.clock.now() + 30))
    assert bench.state is BrokerState.OK


def test_other_brokers_attempts_are_none_of_its_business() -> None:
    bench = Bench()
    bench.bus.emit(AttemptFinished("oanda", "get_order", 1, Outcome.MAINTENANCE, "maintenance", "", 503, 0.0, 0.1))
    assert bench.state is BrokerState.OK


FRIDAY_CLOSE = {"starts": "0 17 * * FRI", "time_zone": "America/New_York", "seconds": 3600}


def test_a_planned_window_begins_and_ends_without_errors() -> None:
    bench = Bench(windows=[FRIDAY_CLOSE])
    assert bench.enters() is CALL
    bench.clock.advance(3600)
    assert bench.enters() is None
    assert bench.condition.reading().planned
    assert bench.told[-1].reason == "planned"
    bench.clock.advance(3599)
    assert bench.enters() is None
    bench.clock.advance(1)
    assert bench.probes()
    bench.attempt(Outcome.OK)
    assert bench.state is BrokerState.OK


def test_a_sidecar_that_starts_inside_a_planned_window_knows_it() -> None:
    bench = Bench(now=FRIDAY_EVENING + 3600 + 60, windows=[FRIDAY_CLOSE])
    assert bench.state is BrokerState.MAINTENANCE
    assert bench.condition.probe_in() == pytest.approx(3540)


def test_an_answer_from_just_before_the_planned_end_of_service_does_not_call_it_off() -> None:
    bench = Bench(windows=[FRIDAY_CLOSE])
    bench.clock.advance(3601)
    bench.enters()
    bench.attempt(Outcome.OK, took=5)
    assert bench.state is BrokerState.MAINTENANCE


def test_a_broker_that_is_back_before_its_time_is_used() -> None:
    bench = Bench(windows=[FRIDAY_CLOSE])
    bench.clock.advance(3601)
    assert bench.enters(reserved=True) is CALL
    bench.attempt(Outcome.OK)
    assert bench.enters() is CALL


events = st.lists(
    st.one_of(
        st.tuples(st.just("attempt"), st.sampled_from(Outcome), st.sampled_from([None, 200, 429, 500, 503])),
        st.tuples(st.just("enter"), st.booleans(), st.none()),
        st.tuples(st.just("wait"), st.floats(0, 2000), st.none()),
    ),
    max_size=80,
)


@given(events)
def test_whatever_happens_at_most_one_probe_is_out_and_what_was_told_is_what_is(
    history: list[tuple[str, Any, Any]],
) -> None:
    bench = Bench()
    probing = False
    for what, first, second in history:
        if what == "attempt":
            bench.attempt(first, second)
            probing = False
        elif what == "wait":
            bench.clock.advance(first)
        else:
            entry = bench.enters(reserved=first)
            probe = entry is not None and entry.probe > 0
            assert not (probe and probing)
            probing = probing or probe
    assert (bench.told[-1].to_state if bench.told else BrokerState.OK) is bench.state
