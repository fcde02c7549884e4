"""What holds whatever happens: limits, deadlines, pauses and the order of those who wait."""

import asyncio

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sidecar.brokers.profile import Verdict
from sidecar.calls.limiter import Lease
from sidecar.words import Outcome, Priority
from tests.calls.limiter.bench import ENOUGH, OK, Bench, bucket, intent, told, weight
from tests.calls.limiter.world import CAPACITY, Caller, World, crowds, readers

many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seconds = st.sampled_from([10.0, 30.0])
skews = st.floats(-1, 1)
starts = st.floats(0, 30)
impatient = st.floats(0, 60)
patient = st.just(ENOUGH)
others = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 12)), min_size=3, max_size=12)
priorities = st.lists(st.sampled_from(Priority), min_size=2, max_size=30)


@many
@given(crowds(impatient), seconds, skews, starts)
def test_the_broker_never_counts_more_of_ours_than_the_limit_and_nobody_waits_past_a_deadline(
    crowd: list[Caller], seconds: float, skew: float, start: float
) -> None:
    world = World(seconds, skew, start)
    world.run(crowd)
    event(f"somebody was refused: {world.refused > 0}")
    assert world.finished + world.refused == len(crowd)
    assert world.bench.nothing_is_left_behind()


@many
@given(readers(), seconds, skews, st.floats(0, 10), others)
def test_what_answers_tell_of_other_users_is_left_to_them(
    crowd: list[Caller], seconds: float, skew: float, start: float, others: list[tuple[float, int]]
) -> None:
    world = World(seconds, skew, start, others)
    world.run(crowd)
    event(f"others were known: {world.checked > 0}")
    assert world.bench.nothing_is_left_behind()


@many
@given(crowds(impatient, leaving=True), seconds, skews, starts)
def test_callers_who_leave_take_nothing_with_them(
    crowd: list[Caller], seconds: float, skew: float, start: float
) -> None:
    world = World(seconds, skew, start)
    world.run(crowd)
    event(f"somebody left: {world.left > 0}")
    assert world.finished + world.refused + world.left == len(crowd)
    assert world.bench.nothing_is_left_behind()
    world.clock.advance(3 * seconds)
    assert world.bench.state().used == 0


@many
@given(crowds(patient), seconds, skews, starts)
def test_everybody_with_patience_gets_a_turn(crowd: list[Caller], seconds: float, skew: float, start: float) -> None:
    world = World(seconds, skew, start)
    world.run(crowd)
    assert world.finished == len(crowd)
    assert world.bench.nothing_is_left_behind()


@many
@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from(Priority), st.sampled_from(["pricing", "orders"])), max_size=60
    ),
    st.floats(0.5, 20),
    st.floats(1, 15),
    st.floats(1, 15),
)
def test_no_interval_sees_more_calls_than_burst_and_rate_allow(
    crowd: list[tuple[float, Priority, str]], rate: float, burst: float, group_burst: float
) -> None:
    bench = Bench(bucket("global", rate, burst), bucket("orders", rate / 2, group_burst, group="orders"))
    went: list[tuple[float, str]] = []

    async def call(at: float, priority: Priority, group: str) -> None:
        await bench.clock.sleep(at)
        bench.limiter.settle(await bench.limiter.acquire(intent(priority, group), ENOUGH), (), OK)
        went.append((bench.clock.monotonic(), group))

    async def everybody() -> None:
        await asyncio.gather(*(call(*one) for one in crowd))

    bench.clock.run(everybody())
    assert len(went) == len(crowd)
    assert_within([at for at, _ in went], rate, burst)
    assert_within([at for at, group in went if group == "orders"], rate / 2, group_burst)


def assert_within(times: list[float], rate: float, burst: float) -> None:
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - start) + 1e-6


@many
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 2), st.none() | st.floats(0.1, 30)), min_size=1, max_size=25))
def test_nothing_goes_before_a_told_pause_has_passed(crowd: list[tuple[float, float, float | None]]) -> None:
    bench = Bench(bucket("global", 100, 100))
    closed_until = 0.0

    async def call(at: float, takes: float, pause: float | None) -> None:
        nonlocal closed_until
        await bench.clock.sleep(at)
        lease = await bench.limiter.acquire(intent(Priority.CANCEL), ENOUGH)
        assert bench.clock.monotonic() >= closed_until
        await bench.clock.sleep(takes)
        verdict = OK if pause is None else Verdict(Outcome.RATE_LIMITED, "rate_limit", retry_after=pause)
        if pause is not None:
            closed_until = max(closed_until, bench.clock.monotonic() + pause)
        bench.limiter.settle(lease, (), verdict)

    async def everybody() -> None:
        await asyncio.gather(*(call(*one) for one in crowd))

    bench.clock.run(everybody())
    assert bench.nothing_is_left_behind()


@many
@given(priorities, st.lists(st.integers(1, 30), min_size=30, max_size=30))
def test_those_who_wait_for_one_limit_go_by_priority_and_then_by_arrival(
    wanted: list[Priority], costs: list[int]
) -> None:
    bench = Bench()
    bench.spend(1, used=100)
    went: list[tuple[Priority, int]] = []

    async def call(index: int, priority: Priority) -> None:
        lease = await bench.limiter.acquire(weight(costs[index], priority), ENOUGH)
        went.append((priority, index))
        bench.limiter.settle(lease, (), OK)

    async def everybody() -> None:
        await asyncio.gather(*(call(index, priority) for index, priority in enumerate(wanted)))

    bench.clock.run(everybody())
    assert went == sorted(went)


@many
@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.integers(1, 12), st.sampled_from([one for one in Priority if not one.reserved])),
        min_size=5,
        max_size=60,
    ),
    st.booleans(),
)
def test_a_cancel_always_finds_room_whatever_the_others_ask_for(
    crowd: list[tuple[float, int, Priority]], reads: bool
) -> None:
    bench = Bench()
    counted = 0
    for pause, cost, priority in crowd:
        bench.clock.advance(pause)
        lease = bench.limiter.try_acquire(weight(cost, priority))
        if lease is not None:
            counted += cost
            bench.limiter.settle(lease, told(min(counted, 90)) if reads else (), OK)
        cancel = bench.limiter.try_acquire(weight(1, Priority.CANCEL))
        assert cancel is not None
        take_back(cancel)


def take_back(lease: Lease) -> None:
    """The next cancel shall meet the others' use alone."""
    for limit, cost, _ in lease.needs:
        limit.give_back(cost)


@many
@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from(list(Priority)[2:])), min_size=1, max_size=60))
def test_a_full_bucket_of_others_leaves_a_token_for_a_cancel(crowd: list[tuple[float, Priority]]) -> None:
    bench = Bench(bucket("global", rate=1, burst=10))
    for pause, priority in crowd:
        bench.clock.advance(pause)
        while bench.limiter.try_acquire(intent(priority)) is not None:
            pass
        cancel = bench.limiter.try_acquire(intent(Priority.CANCEL))
        assert cancel is not None
        take_back(cancel)


def test_the_world_notices_a_limiter_that_allows_too_much() -> None:
    world = World(10.0, skew=0.0, start=0.0)
    world.bench.limiter._windows[0].resize(10 * CAPACITY)
    with pytest.raises(ExceptionGroup) as failures:
        world.run([Caller(0, 10, 0, 0, Priority.ORDER, 60, reads=True, leaves_after=None) for _ in range(6)])
    assert failures.group_contains(AssertionError)
