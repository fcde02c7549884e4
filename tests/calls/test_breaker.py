"""A breaker opens on what says that a broker is broken, probes gently, and never stops a cancel."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sidecar.brokers.profile import Verdict
from sidecar.calls.breaker import JITTER, Breaker, Permit
from sidecar.calls.policies import BreakerPolicy, breaker_policy
from sidecar.clock import VirtualClock
from sidecar.config import model
from sidecar.telemetry.events import BreakerTransition, Bus
from sidecar.words import BreakerMode, BreakerState, Outcome

OK = Verdict(Outcome.OK)
DOWN = Verdict(Outcome.TRANSIENT, "server_error")


class Bench:
    """A breaker on a virtual clock, with what it told."""

    def __init__(self, **settings: object) -> None:
        self.clock = VirtualClock()
        self.told: list[BreakerTransition] = []
        bus = Bus(self.clock)
        bus.subscribe(BreakerTransition, self.told.append)
        self.policy: BreakerPolicy = breaker_policy(model.Breaker.model_validate(settings), "orders")
        self.breaker = Breaker("binance", "orders", self.policy, bus=bus, clock=self.clock, rng=Random(1))

    def call(self, verdict: Verdict = OK, *, seconds: float = 0.01, reserved: bool = False) -> bool:
        permit = self.breaker.admit(reserved=reserved)
        if permit is None:
            return False
        self.breaker.record(permit, verdict, seconds)
        return True

    def open(self) -> None:
        for _ in range(self.policy.failures):
            self.call(DOWN)
        assert self.breaker.state is BreakerState.OPEN

    @property
    def state(self) -> BreakerState:
        return self.breaker.state


def test_five_consecutive_failures_open_it_and_four_do_not() -> None:
    bench = Bench()
    for _ in range(4):
        bench.call(DOWN)
    assert bench.state is BreakerState.CLOSED
    bench.call(DOWN)
    assert bench.state is BreakerState.OPEN
    assert [(t.from_state, t.to_state, t.reason) for t in bench.told] == [
        (BreakerState.CLOSED, BreakerState.OPEN, "failures")
    ]


def test_a_success_in_between_starts_the_count_anew() -> None:
    bench = Bench()
    for verdict in [DOWN] * 4 + [OK] + [DOWN] * 4:
        bench.call(verdict)
    assert bench.state is BreakerState.CLOSED


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.FATAL, Outcome.RATE_LIMITED, Outcome.BANNED])
def test_business_rejections_and_rate_limits_do_not_trip_it(outcome: Outcome) -> None:
    bench = Bench()
    for _ in range(50):
        bench.call(Verdict(outcome))
    assert bench.state is BreakerState.CLOSED


@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.MAINTENANCE])
def test_what_says_that_the_broker_is_broken_trips_it(outcome: Outcome) -> None:
    bench = Bench()
    for _ in range(5):
        bench.call(Verdict(outcome))
    assert bench.state is BreakerState.OPEN


def test_half_of_the_calls_failing_opens_it_once_there_are_enough() -> None:
    bench = Bench(minimum_calls=20)
    for _ in range(9):
        bench.call(DOWN)
        bench.call(OK)
    assert bench.state is BreakerState.CLOSED
    bench.call(OK)
    bench.call(DOWN)
    assert bench.told[-1].reason == "failure_rate"


def test_failures_that_left_the_window_no_longer_count() -> None:
    bench = Bench(minimum_calls=4, failures=100, window_seconds=60)
    bench.call(DOWN)
    bench.call(DOWN)
    bench.clock.advance(61)
    for verdict in (OK, OK, OK, DOWN):
        bench.call(verdict)
    assert bench.state is BreakerState.CLOSED


def test_calls_that_are_mostly_slow_open_it() -> None:
    bench = Bench(minimum_calls=10, slow_call_seconds=5, slow_call_rate=0.8)
    for number in range(10):
        bench.call(OK, seconds=6 if number != 1 else 0.1)
    assert bench.told[-1].reason == "slow_calls"


def test_open_refuses_until_the_pause_is_over_then_lets_one_probe_through() -> None:
    bench = Bench()
    bench.open()
    bench.clock.advance(59.9)
    assert not bench.call()
    bench.clock.advance(60 * JITTER + 0.2)
    first, second = bench.breaker.admit(reserved=False), bench.breaker.admit(reserved=False)
    assert first is Permit.PROBE
    assert second is None
    assert bench.state is BreakerState.HALF_OPEN


def test_a_good_probe_closes_it() -> None:
    bench = Bench()
    bench.open()
    bench.clock.advance(70)
    assert bench.call()
    assert bench.state is BreakerState.CLOSED
    assert bench.told[-1].reason == "probe_ok"


def test_a_slow_probe_does_not_close_it() -> None:
    bench = Bench(slow_call_seconds=5)
    bench.open()
    bench.clock.advance(70)
    bench.call(OK, seconds=6)
    assert bench.state is BreakerState.OPEN


def test_each_failed_probe_doubles_the_pause_up_to_the_maximum() -> None:
    bench = Bench(recovery_seconds=60, recovery_max_seconds=200)
    bench.open()
    pauses = []
    for _ in range(4):
        bench.clock.advance(1000)
        bench.call(DOWN)
        pauses.append(bench.told[-1].retry_in or 0.0)
    for pause, expected in zip(pauses, (120, 200, 200, 200), strict=True):
        assert expected <= pause <= expected * (1 + JITTER)


def test_a_longer_retry_after_of_the_broker_is_followed() -> None:
    bench = Bench(failures=1)
    bench.call(Verdict(Outcome.MAINTENANCE, "maintenance", retry_after=300))
    bench.clock.advance(299)
    assert not bench.call()


def test_a_rate_limited_probe_tells_nothing_and_frees_its_place() -> None:
    bench = Bench()
    bench.open()
    bench.clock.advance(70)
    bench.call(Verdict(Outcome.RATE_LIMITED))
    assert bench.state is BreakerState.HALF_OPEN
    assert bench.call(OK)
    assert bench.state is BreakerState.CLOSED


def test_a_cancel_passes_an_open_breaker_and_its_success_closes_it() -> None:
    bench = Bench()
    bench.open()
    assert bench.call(OK, reserved=True)
    assert bench.state is BreakerState.CLOSED


def test_failing_cancels_do_not_keep_it_open_for_longer() -> None:
    bench = Bench()
    bench.open()
    for _ in range(100):
        bench.call(DOWN, reserved=True)
    bench.clock.advance(70)
    assert bench.call(OK)
    assert bench.state is BreakerState.CLOSED


def test_forced_open_refuses_new_risk_but_no_cancel() -> None:
    bench = Bench(mode="forced_open")
    assert not bench.call()
    assert bench.call(reserved=True)
    assert bench.state is BreakerState.FORCED_OPEN


def test_forced_closed_lets_everything_through() -> None:
    bench = Bench(mode="forced_closed")
    assert all(bench.call(DOWN) for _ in range(50))


def test_in_shadow_it_tells_and_refuses_nothing() -> None:
    bench = Bench(mode="shadow")
    assert all(bench.call(DOWN) for _ in range(50))
    assert bench.told[0].to_state is BreakerState.OPEN


def test_a_manual_reset_closes_it_and_keeps_the_reason() -> None:
    bench = Bench()
    bench.open()
    bench.breaker.reset("broker says it is fixed")
    assert bench.call()
    assert (bench.told[-1].reason, bench.told[-1].note) == ("manual", "broker says it is fixed")


def test_a_reading_tells_when_the_next_probe_is_due() -> None:
    bench = Bench()
    bench.open()
    reading = bench.breaker.reading()
    assert reading.state is BreakerState.OPEN
    assert reading.retry_at is not None
    assert 60 <= reading.retry_at - bench.clock.now() <= 66


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.floats(0, 200)), max_size=100))
def test_half_open_never_exceeds_its_probes(probes: int, steps: list[tuple[bool, float]]) -> None:
    bench = Bench(probes=probes, failures=1)
    bench.call(DOWN)
    in_flight: list[Permit] = []
    for finish, pause in steps:
        bench.clock.advance(pause)
        if finish and in_flight:
            bench.breaker.record(in_flight.pop(), Verdict(Outcome.RATE_LIMITED), 0.01)
        elif (permit := bench.breaker.admit(reserved=False)) is not None:
            in_flight.append(permit)
        assert in_flight.count(Permit.PROBE) <= probes


class BreakerMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, what was told matches what is, and the way out of risk stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(failures=3, probes=2, recovery_seconds=10, recovery_max_seconds=80)
        self.in_flight: list[Permit] = []

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @rule(reserved=st.booleans())
    def a_call_arrives(self, reserved: bool) -> None:
        refuses = self.bench.breaker.refuses(reserved=reserved)
        permit = self.bench.breaker.admit(reserved=reserved)
        assert (permit is None) == refuses
        assert not (reserved and permit is None)
        if permit is not None:
            self.in_flight.append(permit)

    @precondition(lambda self: self.in_flight)
    @rule(outcome=st.sampled_from(Outcome), seconds=st.floats(0, 20))
    def an_attempt_ends(self, outcome: Outcome, seconds: float) -> None:
        self.bench.breaker.record(self.in_flight.pop(0), Verdict(outcome), seconds)

    @rule(mode=st.sampled_from(BreakerMode))
    def a_person_changes_the_mode(self, mode: BreakerMode) -> None:
        self.bench.breaker.set_mode(mode, "trying")
        self.bench.breaker.set_mode(BreakerMode.AUTO, "done")

    @rule()
    def a_person_resets(self) -> None:
        self.bench.breaker.reset("trying")

    @invariant()
    def what_was_told_matches_what_is(self) -> None:
        told = self.bench.told[-1].to_state if self.bench.told else BreakerState.CLOSED
        assert told is self.bench.state


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40)
