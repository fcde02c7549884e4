"""Whoever waits hears of every change, and of no other thing's."""

import asyncio

import pytest

from sidecar.clock import VirtualClock
from sidecar.orders.watchers import Watchers


def heard_after(*, told: str | None, seconds: float | None, looked: bool = False) -> float:
    """When somebody who waits for `mine` goes on; `told` is told of before that, and `looked` says if it was seen."""
    clock = VirtualClock()
    watchers = Watchers(clock)

    async def life() -> float:
        with watchers.watch("mine") as watch:
            if told is None:
                clock.call_later(3, watchers.tell_all)
            else:
                watchers.tell(told)
            if looked:
                watch.clear()
            await asyncio.wait_for(watch.heard(seconds), 10)
        return clock.monotonic()

    return clock.run(life())


def test_a_change_that_came_before_the_wait_is_heard_at_once() -> None:
    assert heard_after(told="mine", seconds=5) == 0


def test_a_change_that_was_seen_already_is_not_heard_again() -> None:
    assert heard_after(told="mine", seconds=5, looked=True) == pytest.approx(5)


def test_the_change_of_another_thing_is_not_heard() -> None:
    assert heard_after(told="another", seconds=5) == pytest.approx(5)


def test_what_concerns_everybody_ends_a_wait_that_has_no_end() -> None:
    assert heard_after(told=None, seconds=None) == pytest.approx(3)


def test_nobody_is_remembered_who_does_not_wait_any_more() -> None:
    watchers = Watchers(VirtualClock())
    with watchers.watch("mine"), watchers.watch("mine"):
        assert len(watchers) == 1
    assert len(watchers) == 0
