"""The gate: after 429 and 418 nothing goes to the address until the broker may be called again."""

import asyncio
import math
from itertools import pairwise

import pytest

from sidecar.brokers.profile import Verdict
from sidecar.calls.limiter import LimitRefused
from sidecar.telemetry.events import GateOpened, GateShut, LimitRejected, LimitWaited, Trail, trail
from sidecar.words import Outcome, Priority
from tests.calls.limiter.bench import ENOUGH, OK, ORDERS, WEIGHT, Bench, bucket, intent, told, weight

LIMITED = Verdict(Outcome.RATE_LIMITED, "rate_limit")
BANNED = Verdict(Outcome.BANNED, "ban")
CANCEL = weight(1, Priority.CANCEL)


def limited(seconds: float) -> Verdict:
    return Verdict(Outcome.RATE_LIMITED, "rate_limit", retry_after=seconds)


def shut_for(bench: Bench) -> float:
    reading = bench.limiter.gate()
    return reading.until - bench.clock.now() if reading.until is not None else 0.0


def test_nobody_passes_a_shut_gate_not_even_a_cancel() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(7))
    assert bench.limiter.try_acquire(CANCEL) is None


def test_the_gate_opens_when_the_broker_said_and_not_earlier() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(7))
    bench.clock.advance(6.999)
    assert bench.limiter.try_acquire(CANCEL) is None
    bench.clock.advance(0.001)
    assert bench.limiter.try_acquire(CANCEL) is not None


def test_the_gate_is_shut_for_every_broker_at_the_address() -> None:
    bench = Bench()
    second = bench.another("binance-b", (WEIGHT,))
    bench.spend(1, verdict=limited(7))
    assert second.try_acquire(CANCEL) is None
    assert second.gate().shut


def test_a_ban_that_ends_at_a_time_is_kept_a_margin_longer_because_clocks_differ() -> None:
    bench = Bench()
    bench.spend(1, verdict=Verdict(Outcome.BANNED, "ban", until=bench.clock.now() + 120))
    assert shut_for(bench) == pytest.approx(121)
    assert bench.limiter.gate().outcome == "banned"


def test_the_longer_of_two_told_pauses_holds() -> None:
    bench = Bench()
    bench.spend(1, verdict=Verdict(Outcome.BANNED, "ban", retry_after=300, until=bench.clock.now() + 120))
    assert shut_for(bench) == pytest.approx(300)


def test_a_longer_pause_extends_a_shut_gate_and_a_shorter_one_does_not_shorten_it() -> None:
    bench = Bench()
    first, second, third = bench.lease(), bench.lease(), bench.lease()
    bench.limiter.settle(first, (), limited(10))
    bench.limiter.settle(second, (), limited(3))
    assert shut_for(bench) == pytest.approx(10)
    bench.limiter.settle(third, (), limited(30))
    assert shut_for(bench) == pytest.approx(30)


def test_shutting_and_opening_are_told_once() -> None:
    bench = Bench()
    leases = [bench.lease() for _ in range(5)]
    for lease in leases:
        bench.limiter.settle(lease, (), limited(10))
        bench.clock.advance(0.01)
    (shut,) = bench.events(GateShut)
    assert shut.outcome is Outcome.RATE_LIMITED
    assert shut.seconds == pytest.approx(10)
    assert shut.until == pytest.approx(1_800_000_020)
    bench.clock.advance(11)
    bench.limiter.gate()
    bench.limiter.gate()
    assert bench.events(GateOpened) == [GateOpened("binance")]


def test_a_ban_that_follows_a_429_is_told() -> None:
    bench = Bench()
    first, second = bench.lease(), bench.lease()
    bench.limiter.settle(first, (), limited(60))
    bench.limiter.settle(second, (), Verdict(Outcome.BANNED, "ban", retry_after=60))
    assert [event.outcome for event in bench.events(GateShut)] == [Outcome.RATE_LIMITED, Outcome.BANNED]


def test_without_a_told_time_the_gate_stays_shut_until_the_window_has_ended() -> None:
    bench = Bench()
    bench.spend(1, verdict=LIMITED)
    assert 51 <= shut_for(bench) <= 52


def test_without_a_told_time_and_a_window_pauses_double_up_to_a_minute() -> None:
    bench = Bench(bucket("global", rate=100, burst=100))
    pauses = []
    for _ in range(9):
        bench.limiter.settle(bench.lease(intent()), (), LIMITED)
        pauses.append(shut_for(bench))
        bench.clock.advance(pauses[-1] + 10)
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert all(least <= pause <= least + 1 for least, pause in zip(expected, pauses, strict=True))


def test_answers_to_calls_in_flight_do_not_double_the_pause() -> None:
    bench = Bench(bucket("global", rate=100, burst=100))
    for lease in [bench.lease(intent()) for _ in range(20)]:
        bench.limiter.settle(lease, (), LIMITED)
    assert shut_for(bench) < 2


def test_a_call_that_is_answered_well_ends_the_doubling() -> None:
    bench = Bench(bucket("global", rate=100, burst=100))
    for verdict in (LIMITED, LIMITED, LIMITED, OK, LIMITED):
        bench.limiter.settle(bench.lease(intent()), (), verdict)
        pause = shut_for(bench)
        bench.clock.advance(pause + 10)
    assert 1 <= pause < 2


def test_a_ban_of_untold_length_is_at_least_two_minutes() -> None:
    bench = Bench()
    bench.spend(1, verdict=BANNED)
    assert shut_for(bench) >= 120


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -5.0, 0.0])
def test_a_meaningless_pause_is_replaced_by_a_guess(nonsense: float) -> None:
    bench = Bench(bucket("global", rate=100, burst=100))
    bench.limiter.settle(bench.lease(intent()), (), limited(nonsense))
    assert 1 <= shut_for(bench) <= 2


def test_a_call_that_cannot_outwait_the_gate_is_refused_at_once() -> None:
    bench = Bench()
    bench.spend(1, verdict=Verdict(Outcome.BANNED, "ban", retry_after=120))

    async def call() -> None:
        with pytest.raises(LimitRefused) as refused:
            await bench.limiter.acquire(CANCEL, bench.clock.monotonic() + 9)
        assert (refused.value.limit, refused.value.outcome) == ("gate", Outcome.BANNED)
        assert refused.value.retry_after == pytest.approx(120)

    bench.clock.run(call())
    assert bench.clock.monotonic() == 0
    assert bench.events(LimitRejected) == [LimitRejected("binance", "pricing", Priority.CANCEL, "gate")]


def test_those_who_wait_are_refused_when_the_gate_shuts_beyond_their_deadline() -> None:
    bench = Bench()
    bench.spend(90)

    async def call() -> float:
        last = bench.lease(CANCEL)
        waiter = asyncio.create_task(bench.limiter.acquire(weight(), 55))
        await bench.clock.sleep(1)
        bench.limiter.settle(last, (), limited(100))
        with pytest.raises(LimitRefused):
            await waiter
        return bench.clock.monotonic()

    assert bench.clock.run(call()) == pytest.approx(1)


def test_who_waits_for_the_gate_goes_when_it_opens() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(7))

    async def call() -> float:
        lease = await bench.limiter.acquire(weight(1, Priority.ORDER), 9)
        return lease.waited

    assert bench.clock.run(call()) == pytest.approx(7, abs=0.01)
    (waited,) = bench.events(LimitWaited)
    assert (waited.limit, waited.priority) == ("gate", Priority.ORDER)


def test_after_a_pause_without_readings_calls_are_let_go_one_by_one_in_order() -> None:
    bench = Bench(bucket("global", rate=1000, burst=1000))
    bench.limiter.settle(bench.lease(intent()), (), limited(2))
    went: list[tuple[Priority, float]] = []

    async def call(priority: Priority) -> None:
        await bench.limiter.acquire(intent(priority), ENOUGH)
        went.append((priority, bench.clock.monotonic()))

    async def everybody() -> None:
        await asyncio.gather(*(call(priority) for priority in reversed(Priority) for _ in range(3)))

    bench.clock.run(everybody())
    assert [priority for priority, _ in went] == sorted(priority for priority, _ in went)
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(went)]
    assert min(gaps) >= 0.099


def test_after_a_pause_with_readings_the_windows_decide_how_many_go() -> None:
    bench = Bench()
    bench.limiter.settle(bench.lease(), told(100), limited(55))
    went: list[float] = []

    async def call() -> None:
        lease = await bench.limiter.acquire(weight(30), ENOUGH)
        bench.limiter.settle(lease, (), OK)
        went.append(bench.clock.monotonic())

    async def everybody() -> None:
        await asyncio.gather(*(call() for _ in range(6)))

    bench.clock.run(everybody())
    assert [round(at) for at in went] == [55, 55, 55, 111, 111, 111]


def test_a_newcomer_does_not_slip_through_before_those_who_waited_for_the_gate() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(5))

    async def call() -> None:
        waiter = asyncio.create_task(bench.limiter.acquire(weight(1, Priority.ORDER), ENOUGH))
        await asyncio.sleep(0)
        bench.clock.advance(5)
        assert bench.limiter.try_acquire(weight(1, Priority.ORDER)) is None
        assert bench.limiter.try_acquire(weight(1, Priority.CANCEL)) is not None
        await waiter

    bench.clock.run(call())


def test_who_was_let_go_in_the_moment_in_which_the_gate_shuts_waits_again() -> None:
    bench = Bench()
    bench.spend(90)

    async def call() -> float:
        last = bench.lease(CANCEL)
        waiter = asyncio.create_task(bench.limiter.acquire(weight(5), ENOUGH))
        await asyncio.sleep(0)
        bench.limiter.reset("room for the waiter")
        bench.limiter.settle(last, (), limited(7))
        return (await waiter).waited

    assert bench.clock.run(call()) == pytest.approx(7, abs=0.01)
    assert bench.nothing_is_left_behind()


def test_reset_opens_the_gate() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(500))
    bench.limiter.reset("the broker has lifted it")
    assert bench.limiter.try_acquire(CANCEL) is not None
    assert bench.events(GateOpened) == [GateOpened("binance")]


def test_what_happens_on_the_timer_is_on_no_calls_trail() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(5))

    async def call() -> list[str]:
        steps: Trail = []
        trail.set(steps)
        await bench.limiter.acquire(weight(), ENOUGH)
        return [type(step.event).__name__ for step in steps]

    assert bench.clock.run(call()) == ["LimitWaited"]
    assert bench.events(GateOpened)


# What the account has used up


USED_UP = Verdict(Outcome.RATE_LIMITED, "rate_limit", limits=("orders_10s",))
ORDER = intent(Priority.ORDER, "orders", weight_1m=1, orders_10s=1)


def test_a_limit_that_the_broker_names_is_full_until_its_window_ends_and_the_gate_stays_open() -> None:
    bench = Bench(WEIGHT, ORDERS)
    bench.limiter.settle(bench.lease(ORDER), (), USED_UP)
    assert bench.limiter.try_acquire(ORDER) is None
    assert bench.limiter.try_acquire(CANCEL) is not None
    assert not bench.events(GateShut)
    bench.clock.advance(11)
    assert bench.limiter.try_acquire(ORDER) is not None


def test_an_overtaken_reading_does_not_make_room_in_a_limit_that_is_used_up() -> None:
    bench = Bench(WEIGHT, ORDERS)
    overtaken = bench.lease(ORDER)
    bench.limiter.settle(bench.lease(ORDER), (), USED_UP)
    bench.limiter.settle(overtaken, told(2, "orders_10s"), OK)
    assert bench.limiter.try_acquire(ORDER) is None


def test_a_named_limit_that_is_not_known_shuts_the_gate_instead() -> None:
    bench = Bench(WEIGHT)
    bench.spend(1, verdict=USED_UP)
    assert bench.limiter.gate().shut


def test_a_ban_shuts_the_gate_whatever_limit_is_named() -> None:
    bench = Bench(WEIGHT, ORDERS)
    bench.limiter.settle(bench.lease(ORDER), (), Verdict(Outcome.BANNED, "ban", limits=("orders_10s",)))
    assert bench.limiter.gate().shut


def test_a_pause_beyond_the_longest_ban_is_taken_for_a_broken_header() -> None:
    bench = Bench()
    bench.spend(1, verdict=limited(1e300))
    assert shut_for(bench) == pytest.approx(3 * 86_400)
