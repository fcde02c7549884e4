"""Metrics of degradation: the level now, and every change."""

from collections.abc import Sequence
from itertools import product

from sidecar.telemetry.events import Bus, DegradationChanged
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import DegradationLevel


class DegradationMetrics:
    """Levels by broker. The level is read at the scrape; the counter shows what is shorter than a scrape."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        levels = [(shape.name, level) for shape, level in product(shapes, DegradationLevel)]
        self._level = Family(
            "sidecar_degradation_level", "1 for the degradation level that the broker is at.", ("broker", "level")
        ).born(levels)
        self._changes = counter(
            "sidecar_degradation_transitions_total",
            "Changes of a broker's degradation level, by the level that was entered.",
            ("broker", "level"),
        ).born(levels)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._level, self._changes

    def subscribe(self, bus: Bus) -> None:
        """Listen to the levels."""
        bus.subscribe(DegradationChanged, self._on_change)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauges of one broker."""
        for level in DegradationLevel:
            self._level[reading.name, level].value = reading.degradation.level is level

    def _on_change(self, event: DegradationChanged) -> None:
        if event.from_level is not event.to_level:
            self._changes[event.broker, event.to_level].value += 1
