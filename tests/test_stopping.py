"""The phases of a stop share its time, so that the last one still has its own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sidecar.clock import VirtualClock
from sidecar.stopping import HURRIED_SECONDS, Budget


def run(act: Callable[[Budget, VirtualClock], Coroutine[Any, Any, None]], seconds: float = 9) -> tuple[Budget, float]:
    """A stop in virtual time; the budget and how long it took."""
    clock = VirtualClock()
    made: list[Budget] = []

    async def main() -> None:
        made.append(Budget(seconds, clock))
        await act(made[0], clock)

    clock.run(main())
    return made[0], clock.monotonic()


def test_a_phase_that_hangs_is_left_in_time_for_the_later_ones_and_told() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await budget.phase("calls", clock.sleep(60), kept=4)
        await budget.phase("channels", clock.sleep(60), kept=2)
        await budget.phase("store", clock.sleep(1), kept=0)

    budget, took = run(act)
    assert took == pytest.approx(8)
    assert budget.left == ["calls", "channels"]


def test_what_ends_in_time_leaves_nothing() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await budget.phase("calls", clock.sleep(4.9), kept=4)

    assert run(act)[0].left == []


def test_everything_that_hangs_still_ends_within_the_budget() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        for kept in (4, 2, 1, 0):
            await budget.phase("all", clock.sleep(60), kept=kept)

    assert run(act)[1] == pytest.approx(9)
    assert run(act, seconds=3)[1] == pytest.approx(3)


def test_of_a_small_budget_the_later_phases_keep_their_share() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await budget.phase("calls", clock.sleep(60), kept=4)

    assert run(act, seconds=4.5)[1] == pytest.approx(2.5)


def test_of_a_large_budget_calls_get_all_that_the_record_does_not_need() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await budget.phase("calls", clock.sleep(600), kept=4)

    assert run(act, seconds=60)[1] == pytest.approx(56)


def test_a_hurried_stop_gives_calls_two_seconds_and_the_record_its_time() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await clock.sleep(1)
        budget.hurry(kept=4)
        await budget.phase("calls", clock.sleep(60), kept=4)
        assert clock.monotonic() == pytest.approx(1 + HURRIED_SECONDS)
        await budget.phase("record", clock.sleep(60), kept=0)

    assert run(act, seconds=60)[1] == pytest.approx(1 + HURRIED_SECONDS + 4)


def test_a_second_signal_brings_the_end_of_the_phase_forward_that_goes_on() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        clock.call_later(1, lambda: budget.hurry(kept=4))
        await budget.phase("positions", clock.sleep(60), kept=4)

    budget, took = run(act, seconds=60)
    assert took == pytest.approx(1 + HURRIED_SECONDS)
    assert budget.left == ["positions"]


def test_hurrying_never_makes_a_stop_longer() -> None:
    async def act(budget: Budget, clock: VirtualClock) -> None:
        await clock.sleep(8.5)
        budget.hurry(kept=4)
        await budget.phase("record", clock.sleep(60), kept=0)

    assert run(act)[1] == pytest.approx(9)


def test_a_failure_in_a_phase_is_not_taken_for_its_end() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("a fault")

    async def act(budget: Budget, clock: VirtualClock) -> None:  # noqa: ARG001 - the form of an act
        await budget.phase("calls", fail(), kept=4)

    with pytest.raises(RuntimeError):
        run(act)
