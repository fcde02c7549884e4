"""The prober looks when a look is due, and only then."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from sidecar.health.prober import Prober
from sidecar.words import BrokerState, Outcome
from tests.health.test_condition import Bench


def probed(bench: Bench, seconds: float, answers: Callable[[], None]) -> list[float]:
    """When the prober looked in that time; `answers` is what each look brings."""
    looked: list[float] = []

    async def look() -> None:
        looked.append(bench.clock.monotonic())
        answers()

    async def main() -> None:
        probing = asyncio.create_task(Prober(bench.condition, look).run())
        await bench.clock.sleep(seconds)
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing

    bench.clock.run(main())
    return looked


def test_a_healthy_idle_broker_is_looked_at_every_ten_minutes() -> None:
    bench = Bench()
    assert len(probed(bench, 3700, lambda: bench.attempt(Outcome.OK))) == 6


def test_twenty_minutes_of_maintenance_are_a_handful_of_looks() -> None:
    bench = Bench()
    bench.away()
    looks = probed(bench, 1200, bench.away)
    assert 4 <= len(looks) <= 7
    assert bench.state is BrokerState.MAINTENANCE


def test_trading_resumes_by_itself_after_the_first_good_look() -> None:
    bench = Bench()
    bench.away()
    probed(bench, 45, lambda: bench.attempt(Outcome.OK))
    assert bench.state is BrokerState.OK


def test_a_broker_that_goes_down_is_looked_at_sooner_than_planned() -> None:
    bench = Bench()
    looked: list[float] = []

    async def look() -> None:
        looked.append(bench.clock.monotonic())
        bench.attempt(Outcome.OK)

    async def main() -> None:
        probing = asyncio.create_task(Prober(bench.condition, look).run())
        await bench.clock.sleep(100)
        bench.away()
        await bench.clock.sleep(60)
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing

    bench.clock.run(main())
    assert len(looked) == 1
    assert 120 < looked[0] < 141


def test_a_look_that_was_never_sent_is_tried_again_without_a_spin() -> None:
    bench = Bench(jitter=0)
    bench.away()
    looks = probed(bench, 33, lambda: None)
    assert 4 <= len(looks) <= 7


def test_looks_that_fail_inside_the_sidecar_are_told_once_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(jitter=0)
    bench.away()
    looks = 0

    def fails_twice() -> None:
        nonlocal looks
        looks += 1
        if looks <= 2:
            raise KeyError
        bench.attempt(Outcome.OK)

    probed(bench, 200, fails_twice)
    assert bench.state is BrokerState.OK
    assert [record.getMessage() for record in caplog.records] == [
        "a look at binance failed inside the sidecar (KeyError); it is looked at again"
    ]
