"""How late the event loop is: whatever blocks it delays every call."""

from typing import Final

from sidecar.clock import Clock
from sidecar.telemetry.events import Bus
from sidecar.telemetry.metrics.families import AnyFamily, Histogram
from sidecar.telemetry.state import BrokerReading

BEAT_SECONDS: Final = 0.5
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class PulseMetrics:
    """Sleeps for a while again and again, and measures by how much too long."""

    def __init__(self) -> None:
        self._late = Histogram(
            "sidecar_event_loop_lag_seconds", "How late the event loop came back to a timer that was due.", (), BOUNDS
        ).born([()])

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._late,)

    def subscribe(self, bus: Bus) -> None:
        """Nothing to hear: it measures by itself."""

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker."""

    async def run(self, clock: Clock) -> None:
        """Measure, for as long as nobody cancels it."""
        while True:
            began = clock.monotonic()
            await clock.sleep(BEAT_SECONDS)
            self._late[()].observe(max(0.0, clock.monotonic() - began - BEAT_SECONDS))
