"""Who waits: in order of priority, within the deadline, holding up nobody who needs something else."""

import asyncio

import pytest

from sidecar.brokers.profile import Intent
from sidecar.calls.limiter import Address, Limiter, LimitRefused
from sidecar.clock import VirtualClock
from sidecar.config.model import Limits
from sidecar.telemetry.events import Bus, LimitRejected, LimitReset, LimitWaited
from sidecar.words import Outcome, Priority
from tests.calls.limiter.bench import ENOUGH, OK, ORDERS, WEIGHT, Bench, bucket, intent, told, weight

ORDER = intent(Priority.ORDER, "orders", orders_10s=1, weight_1m=1)


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_caller_waits_until_the_window_has_rolled() -> None:
    bench = Bench()
    bench.spend(90)

    async def call() -> float:
        return (await bench.limiter.acquire(weight(), ENOUGH)).waited

    assert bench.clock.run(call()) == pytest.approx(51, abs=0.01)
    (waited,) = bench.events(LimitWaited)
    assert (waited.group, waited.priority, waited.limit) == ("pricing", Priority.MARKET_DATA, "weight_1m")
    assert waited.seconds == pytest.approx(51, abs=0.01)


def test_who_need_not_wait_is_not_said_to_have_waited() -> None:
    bench = Bench()

    async def call() -> float:
        return (await bench.limiter.acquire(weight(), ENOUGH)).waited

    assert bench.clock.run(call()) == 0
    assert bench.events(LimitWaited) == []


def test_who_certainly_comes_too_late_is_refused_at_once() -> None:
    bench = Bench()
    bench.spend(1, used=95)

    async def call() -> LimitRefused:
        with pytest.raises(LimitRefused) as refused:
            await bench.limiter.acquire(weight(), 9)
        return refused.value

    refused = bench.clock.run(call())
    assert bench.clock.monotonic() == 0
    assert (refused.limit, refused.outcome) == ("weight_1m", Outcome.RATE_LIMITED)
    assert refused.retry_after == pytest.approx(51)
    assert "weight_1m is short (95 of 100 used)" in str(refused)
    assert bench.events(LimitRejected) == [LimitRejected("binance", "pricing", Priority.MARKET_DATA, "weight_1m")]


def test_who_may_yet_come_in_time_is_refused_at_its_deadline() -> None:
    bench = Bench()
    bench.lease(weight(90))

    async def call() -> None:
        with pytest.raises(LimitRefused):
            await bench.limiter.acquire(weight(), 9)

    bench.clock.run(call())
    assert bench.clock.monotonic() == pytest.approx(9, abs=0.01)
    assert bench.nothing_is_left_behind()


def test_a_turn_that_comes_after_the_deadline_is_not_given() -> None:
    bench = Bench(bucket("global", rate=0.2, burst=1))
    bench.lease(intent())

    async def call() -> None:
        waiter = asyncio.create_task(bench.limiter.acquire(intent(), 9))
        await soon()
        bench.clock.advance(9)  # The process was stopped for a while: the timer comes late.
        with pytest.raises(LimitRefused):
            await waiter

    bench.clock.run(call())


def test_a_call_that_can_never_fit_is_refused_at_once_and_says_so() -> None:
    bench = Bench()

    async def call() -> LimitRefused:
        with pytest.raises(LimitRefused) as refused:
            await bench.limiter.acquire(weight(101), ENOUGH)
        return refused.value

    refused = bench.clock.run(call())
    assert refused.retry_after is None
    assert "can never fit" in str(refused)
    assert bench.clock.monotonic() == 0


def test_a_call_larger_than_the_waiting_share_waits_for_an_empty_window() -> None:
    bench = Bench()
    bench.spend(50)

    async def call() -> float:
        return (await bench.limiter.acquire(weight(95), ENOUGH)).waited

    assert bench.clock.run(call()) == pytest.approx(51, abs=0.01)


def test_a_capacity_that_shrinks_refuses_those_who_can_never_fit_any_more() -> None:
    bench = Bench()
    bench.spend(60)

    async def call() -> None:
        waiter = asyncio.create_task(bench.limiter.acquire(weight(50), ENOUGH))
        await soon()
        bench.limiter.learn([type(WEIGHT)("weight_1m", 40, 60, WEIGHT.scope)])
        with pytest.raises(LimitRefused):
            await waiter

    bench.clock.run(call())
    assert bench.clock.monotonic() == 0


def test_a_reading_that_shows_room_lets_those_go_who_wait() -> None:
    bench = Bench()

    async def call() -> float:
        # Answers that include calls still in flight look as if others used the address, until a later one tells better.
        crowd = [bench.lease() for _ in range(40)]
        bench.limiter.settle(crowd[0], told(40), OK)
        probes = [bench.lease(weight(1, Priority.CANCEL)) for _ in range(2)]
        waiter = asyncio.create_task(bench.limiter.acquire(weight(20), ENOUGH))
        await bench.clock.sleep(2)
        assert not waiter.done()
        for lease in crowd[1:]:
            bench.limiter.settle(lease, (), OK)
        for used, lease in zip((41, 42), probes, strict=True):
            bench.limiter.settle(lease, told(used), OK)
        assert not waiter.done()
        bench.spend(1, used=43)
        return (await waiter).waited

    assert bench.clock.run(call()) == pytest.approx(2)


def run_in_turn(bench: Bench, wanted: list[Intent]) -> list[int]:
    """Let everybody ask in this order at once; returns the order in which they went."""
    went: list[int] = []

    async def call(index: int) -> None:
        bench.limiter.settle(await bench.limiter.acquire(wanted[index], ENOUGH), (), OK)
        went.append(index)

    async def everybody() -> None:
        await asyncio.gather(*(call(index) for index in range(len(wanted))))

    bench.clock.run(everybody())
    return went


def test_the_most_urgent_goes_first_and_equals_go_in_the_order_of_arrival() -> None:
    bench = Bench(bucket("global", rate=1, burst=1))
    bench.lease(intent())
    by_arrival = [Priority.MARKET_DATA, Priority.ORDER, Priority.MARKET_DATA, Priority.CANCEL, Priority.ORDER]
    assert run_in_turn(bench, [intent(priority) for priority in by_arrival]) == [3, 1, 4, 0, 2]


class RestlessClock(VirtualClock):
    """Like a real clock, it is later each time one looks."""

    def monotonic(self) -> float:
        self.advance(0.0005)
        return super().monotonic()


def test_nobody_is_forgotten_when_room_appears_between_two_looks() -> None:
    clock = RestlessClock()
    limiter = Limiter("oanda", [bucket("global", 100, 10)], Limits(), Address(clock), Bus(clock), clock)

    async def call() -> None:
        limiter.settle(await limiter.acquire(intent(), clock.monotonic() + 60), (), OK)

    async def everybody() -> None:
        await asyncio.gather(*(call() for _ in range(200)))

    clock.run(everybody())
    assert limiter.states()[0].waiting == 0


def test_a_small_call_does_not_overtake_a_large_one_of_its_own_priority() -> None:
    bench = Bench()
    bench.spend(60)
    assert run_in_turn(bench, [weight(40), weight(1)]) == [0, 1]


def test_a_newcomer_waits_behind_its_equals() -> None:
    bench = Bench()
    bench.spend(60)

    async def call() -> None:
        waiter = asyncio.create_task(bench.limiter.acquire(weight(40), ENOUGH))
        await soon()
        assert bench.limiter.try_acquire(weight(1)) is None
        assert bench.limiter.try_acquire(weight(1, Priority.ORDER)) is not None
        await waiter

    bench.clock.run(call())


def test_a_full_order_count_does_not_stop_market_data() -> None:
    bench = Bench(WEIGHT, ORDERS)

    async def call() -> None:
        for _ in range(18):
            bench.lease(ORDER)
        waiter = asyncio.create_task(bench.limiter.acquire(ORDER, ENOUGH))
        await soon()
        assert not waiter.done()
        assert bench.limiter.try_acquire(weight(1)) is not None
        waiter.cancel()

    bench.clock.run(call())


def test_one_groups_waiters_do_not_stop_another_group_that_shares_the_global_bucket() -> None:
    bench = Bench(bucket("global", rate=100, burst=100), bucket("slow", rate=1, burst=1, group="streaming"))

    async def call() -> None:
        bench.lease(intent(group="streaming"))
        waiter = asyncio.create_task(bench.limiter.acquire(intent(group="streaming"), ENOUGH))
        await soon()
        assert bench.limiter.try_acquire(intent()) is not None
        await waiter

    bench.clock.run(call())


def test_a_waiter_that_is_cancelled_lets_the_next_one_go() -> None:
    bench = Bench()
    bench.spend(60)

    async def call() -> float:
        large = asyncio.create_task(bench.limiter.acquire(weight(40), ENOUGH))
        small = asyncio.create_task(bench.limiter.acquire(weight(1), ENOUGH))
        await bench.clock.sleep(2)
        assert not small.done()
        large.cancel()
        return (await small).waited

    assert bench.clock.run(call()) == pytest.approx(2)
    assert bench.nothing_is_left_behind()


def test_a_waiter_that_is_cancelled_when_its_turn_comes_gives_back_what_it_took() -> None:
    bench = Bench()
    bench.spend(90)

    async def call() -> None:
        waiter = asyncio.create_task(bench.limiter.acquire(weight(50), ENOUGH))
        await soon()
        bench.limiter.reset("test")
        assert bench.state().used == 50
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter

    bench.clock.run(call())
    assert bench.state().used == 0
    assert bench.nothing_is_left_behind()


def test_a_token_taken_for_a_cancelled_caller_goes_to_the_next() -> None:
    bench = Bench(bucket("global", rate=0.001, burst=2))

    async def call() -> None:
        bench.lease(intent(Priority.CANCEL))
        bench.lease(intent(Priority.CANCEL))
        first = asyncio.create_task(bench.limiter.acquire(intent(Priority.CANCEL), ENOUGH))
        second = asyncio.create_task(bench.limiter.acquire(intent(Priority.CANCEL), ENOUGH))
        await soon()
        bench.clock.advance(1000)
        bench.address.queue.serve()
        first.cancel()
        assert (await second).waited == pytest.approx(1000)

    bench.clock.run(call())


def test_reset_lets_those_go_who_wait_and_is_told() -> None:
    bench = Bench()
    bench.spend(1, used=99)

    async def call() -> float:
        waiter = asyncio.create_task(bench.limiter.acquire(weight(), ENOUGH))
        await bench.clock.sleep(3)
        bench.limiter.reset("the broker has raised it")
        return (await waiter).waited

    assert bench.clock.run(call()) == pytest.approx(3)
    assert bench.events(LimitReset) == [LimitReset("binance", "the broker has raised it")]


def test_the_state_tells_how_many_wait() -> None:
    bench = Bench()
    bench.spend(90)

    async def call() -> int:
        waiters = [asyncio.create_task(bench.limiter.acquire(weight(), ENOUGH)) for _ in range(3)]
        await soon()
        waiting = bench.state().waiting
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        return waiting

    assert bench.clock.run(call()) == 3
    assert bench.state().waiting == 0


def test_no_timer_runs_while_nobody_waits() -> None:
    bench = Bench()
    bench.spend(90)
    assert bench.limiter.try_acquire(weight()) is None
    assert bench.nothing_is_left_behind()


def test_waiters_of_brokers_at_one_address_go_in_one_order() -> None:
    bench = Bench()
    second = bench.another("binance-b", (WEIGHT,))
    bench.spend(90)
    went: list[str] = []

    async def call(name: str, limiter: Limiter, wanted: Intent) -> None:
        limiter.settle(await limiter.acquire(wanted, ENOUGH), (), OK)
        went.append(name)

    async def everybody() -> None:
        await asyncio.gather(
            call("market data", bench.limiter, weight(60)), call("order", second, weight(60, Priority.ORDER))
        )

    bench.clock.run(everybody())
    assert went == ["order", "market data"]


def test_a_lease_that_is_given_back_goes_to_whoever_waits() -> None:
    bench = Bench(ORDERS, wait_at=1)
    one = intent(Priority.ORDER, "orders", orders_10s=20)

    async def main() -> None:
        lease = bench.lease(one)
        waiting = asyncio.create_task(bench.limiter.acquire(one, ENOUGH))
        await bench.clock.sleep(0.5)
        bench.limiter.give_back(lease)
        assert (await waiting).waited == pytest.approx(0.5)

    bench.clock.run(main())
