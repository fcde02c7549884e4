"""What nobody waits for is done all the same, and fails aloud."""

import asyncio
import logging

import pytest

from sidecar.clock import VirtualClock
from sidecar.orders.chores import Chores
from sidecar.orders.errors import QueueFullError


async def failing(failure: Exception) -> None:
    await asyncio.sleep(0)
    raise failure


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ZeroDivisionError("secret"), ["a chore of the order queue failed: ZeroDivisionError"]),
        (QueueFullError("x"), []),
    ],
)
def test_a_failure_is_logged_without_its_words_unless_it_is_an_answer(
    caplog: pytest.LogCaptureFixture, failure: Exception, told: list[str]
) -> None:
    async def life() -> None:
        Chores().begin(failing(failure))
        await asyncio.sleep(1)

    with caplog.at_level(logging.ERROR):
        VirtualClock().run(life())
    assert [record.message for record in caplog.records] == told


def test_a_chore_that_takes_too_long_is_cut_short_at_the_end() -> None:
    clock, done = VirtualClock(), list[str]()

    async def chore(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        done.append(name)

    async def life() -> float:
        chores = Chores()
        chores.begin(chore("short", 0.5))
        chores.begin(chore("long", 50))
        await chores.finish(1)
        await clock.sleep(0)
        return clock.monotonic()

    assert clock.run(life()) == pytest.approx(1)
    assert done == ["short"]
