"""The level rises at once and falls slowly, whatever comes and goes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sidecar.health.ladder import Ladder, Signal
from sidecar.words import DegradationCause, DegradationLevel

RECOVERY = 60.0
NONE, RATE_LIMITED, CACHED_DATA, READ_ONLY, EMERGENCY = DegradationLevel
CAUSE = DegradationCause.ERRORS


def signal(level: DegradationLevel, until: float = math.inf) -> Signal:
    return Signal(level, CAUSE, until)


def ladder(*, auto_recovery: bool = True) -> Ladder:
    return Ladder(RECOVERY, auto_recovery=auto_recovery)


def test_the_highest_demand_counts() -> None:
    steps = ladder()
    steps.give("a", signal(RATE_LIMITED), 0)
    steps.give("b", signal(READ_ONLY), 1)
    steps.give("c", signal(CACHED_DATA), 2)
    assert steps.level is READ_ONLY


def test_it_falls_one_step_after_each_recovery_time() -> None:
    steps = ladder()
    steps.give("a", signal(READ_ONLY), 0)
    steps.withdraw("a", 10)
    seen = []
    for now in (69.9, 70, 129.9, 130, 189.9, 190, 1000):
        steps.settle(now)
        seen.append(steps.level)
    assert seen == [READ_ONLY, CACHED_DATA, CACHED_DATA, RATE_LIMITED, RATE_LIMITED, NONE, NONE]


def test_it_falls_no_deeper_than_what_is_still_demanded() -> None:
    steps = ladder()
    steps.give("a", signal(EMERGENCY), 0)
    steps.give("b", signal(CACHED_DATA), 0)
    steps.withdraw("a", 0)
    steps.settle(10_000)
    assert steps.level is CACHED_DATA


def test_a_demand_that_ends_by_itself_counts_until_then() -> None:
    steps = ladder()
    steps.give("a", signal(RATE_LIMITED, until=100), 0)
    steps.settle(159.9)
    assert steps.level is RATE_LIMITED
    steps.settle(160)
    assert steps.level is NONE


def test_a_demand_that_is_over_before_it_is_withdrawn_is_not_counted_again() -> None:
    steps = ladder()
    steps.give("a", signal(RATE_LIMITED, until=100), 0)
    steps.withdraw("a", 150)
    assert steps.falls_at == 160


def test_without_automatic_recovery_only_a_person_brings_it_down() -> None:
    steps = ladder(auto_recovery=False)
    steps.give("a", signal(READ_ONLY), 0)
    steps.withdraw("a", 1)
    steps.settle(1e9)
    assert steps.level is READ_ONLY
    steps.reset(1e9)
    assert steps.level is NONE


def test_a_rule_that_demands_nothing_changes_nothing() -> None:
    steps = ladder()
    steps.give("a", signal(NONE), 0)
    assert (steps.level, steps.falls_at, steps.has("a")) == (NONE, math.inf, False)


Action = tuple[str, str, DegradationLevel, float]
histories = st.lists(
    st.tuples(
        st.sampled_from(["give", "withdraw", "wait"]),
        st.sampled_from("abc"),
        st.sampled_from(DegradationLevel),
        st.one_of(st.just(math.inf), st.floats(0, 200)),
    ),
    max_size=60,
)


def lived(history: Sequence[Action]) -> list[tuple[float, DegradationLevel]]:
    """Every level and when it was entered, with what always holds checked on the way."""
    steps, demanded = ladder(), dict[str, tuple[DegradationLevel, float]]()
    now, told = 0.0, [(-math.inf, NONE)]
    for what, name, level, seconds in (*history, ("wait", "", NONE, 200.0)):
        if what == "give":
            steps.give(name, signal(level, now + seconds), now)
            demanded[name] = level, now + seconds
        elif what == "withdraw":
            steps.withdraw(name, now)
            demanded.pop(name, None)
        ends = now + min(seconds, 200.0) if what == "wait" else now
        while True:
            steps.settle(now)
            if steps.level is not told[-1][1]:
                told.append((now, steps.level))
            floor = max((level.rank for level, until in demanded.values() if until > now), default=0)
            assert steps.level.rank >= floor
            if now >= ends:
                break
            now = min(ends, steps.falls_at)
    return told


@given(histories)
def test_no_sequence_of_events_makes_it_swing(history: Sequence[Action]) -> None:
    told = lived(history)
    falls = [(at, before, after) for (_, before), (at, after) in pairwise(told) if after.rank < before.rank]
    assert all(before.rank - after.rank == 1 for _, before, after in falls)
    # Two steps down are never closer than the recovery time, nor is a step down to the rise before it.
    slack = 1e-6
    assert all(later[0] - earlier[0] >= RECOVERY - slack for earlier, later in pairwise(falls))
    for (entered, before), (left, after) in pairwise(told):
        assert after.rank > before.rank or left - entered >= RECOVERY - slack


@given(histories)
def test_whatever_happened_it_ends_at_none_when_nothing_goes_on(history: Sequence[Action]) -> None:
    steps, now = ladder(), 0.0
    for what, name, level, seconds in history:
        if what == "give":
            steps.give(name, signal(level, now + seconds), now)
        elif what == "wait" and math.isfinite(seconds):
            now += seconds
    for name in "abc":
        steps.withdraw(name, now)
    steps.settle(now + 200 + RECOVERY * len(DegradationLevel))
    assert steps.level is NONE


@given(histories, st.lists(st.floats(0, 500), max_size=20))
def test_how_often_it_is_looked_at_makes_no_difference(history: Sequence[Action], looks: Sequence[float]) -> None:
    seldom, often, now = ladder(), ladder(), 0.0
    pending = sorted(looks)
    for what, name, level, seconds in history:
        for steps in (seldom, often):
            if what == "give":
                steps.give(name, signal(level, now + seconds), now)
            elif what == "withdraw":
                steps.withdraw(name, now)
        if what == "wait" and math.isfinite(seconds):
            while pending and pending[0] <= now + seconds:
                often.settle(max(now, pending.pop(0)))
            now += seconds
    for steps in (seldom, often):
        steps.settle(now)
    assert (seldom.level, seldom.falls_at) == (often.level, often.falls_at)
