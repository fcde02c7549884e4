"""Virtual time passes only when nobody has anything left to do."""

import asyncio
import time

import pytest

from sidecar.clock import SystemClock, VirtualClock


def test_a_virtual_day_of_sleep_takes_no_real_second() -> None:
    clock = VirtualClock()
    started = time.monotonic()
    clock.run(clock.sleep(86_400))
    assert clock.monotonic() == pytest.approx(86_400)
    assert time.monotonic() - started < 1


def test_virtual_sleepers_wake_in_the_order_of_their_times() -> None:
    clock = VirtualClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async def main() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (30, 10, 20)))

    clock.run(main())
    assert woken == [10, 20, 30]


def test_virtual_wall_time_and_monotonic_time_pass_together() -> None:
    clock = VirtualClock(now=1000.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (1005.0, 5.0)


def test_virtual_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(-1)


def test_a_virtual_time_out_fires() -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        clock.run(main())
    assert clock.monotonic() == pytest.approx(60)


def test_a_promise_taken_back_is_not_kept() -> None:
    clock = VirtualClock()
    kept: list[str] = []

    async def main() -> None:
        clock.call_later(1, lambda: kept.append("first"))
        clock.call_later(2, lambda: kept.append("second")).cancel()
        await clock.sleep(3)

    clock.run(main())
    assert kept == ["first"]


async def test_the_machine_time_does_not_step_back_while_waiting() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(-1)
    assert clock.monotonic() >= before
