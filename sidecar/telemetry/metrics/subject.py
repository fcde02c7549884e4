"""What the groups of metrics have in common."""

from typing import Protocol

from sidecar.telemetry.events import Bus
from sidecar.telemetry.metrics.families import AnyFamily
from sidecar.telemetry.state import BrokerReading


class Subject(Protocol):
    """Metrics about one thing: their families, the events that feed them, and the state that is read at a scrape."""

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""

    def subscribe(self, bus: Bus) -> None:
        """Listen to the events that feed the families."""

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker, right before they are shown."""
