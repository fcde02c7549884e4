"""The event loop's lateness is measured by a timer that runs on it."""

import asyncio

from sidecar.clock import VirtualClock
from sidecar.telemetry.metrics.pulse import BEAT_SECONDS, PulseMetrics


def observed(hold_up: float) -> str:
    clock, pulse = VirtualClock(), PulseMetrics()

    async def life() -> None:
        running = asyncio.create_task(pulse.run(clock))
        await clock.sleep(BEAT_SECONDS / 2)
        clock.advance(hold_up)  # nobody else could run meanwhile
        await clock.sleep(BEAT_SECONDS)
        running.cancel()

    clock.run(life())
    return "".join(pulse.families[0].text(openmetrics=False))


def test_a_loop_that_nothing_blocks_is_on_time() -> None:
    assert 'bucket{le="0.001"} 1.0' in observed(0)


def test_a_loop_that_was_blocked_is_late_by_as_much() -> None:
    text = observed(BEAT_SECONDS / 2 + 0.2)
    assert 'bucket{le="0.1"} 0.0' in text
    assert 'bucket{le="0.25"} 1.0' in text
