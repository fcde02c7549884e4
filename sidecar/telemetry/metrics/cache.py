"""Metrics of the cache: what it was asked, and how much it remembers."""

from collections.abc import Sequence
from itertools import product

from sidecar.telemetry.events import Bus, CacheAsked
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape
from sidecar.words import CacheResult


class CacheMetrics:
    """Reads by what the cache did for them. Reads of endpoints that it is not configured for are not among them."""

    def __init__(self, shapes: Sequence[BrokerShape]) -> None:
        self._reads = counter(
            "sidecar_cache_reads_total",
            "Reads of endpoints with a cache, by what it did for them.",
            ("broker", "result"),
        ).born((shape.name, result) for shape, result in product(shapes, CacheResult))
        self._bytes = Family(
            "sidecar_cache_bytes", "Bytes that the remembered answers take, roughly.", ("broker",)
        ).born((shape.name,) for shape in shapes)

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._reads, self._bytes

    def subscribe(self, bus: Bus) -> None:
        """Listen to the cache."""
        bus.subscribe(CacheAsked, self._on_read)

    def refresh(self, reading: BrokerReading) -> None:
        """Set the gauge of one broker."""
        self._bytes[reading.name,].value = reading.cache.bytes

    def _on_read(self, event: CacheAsked) -> None:
        self._reads[event.broker, event.result].value += 1
