"""Metrics of the state file."""

from collections.abc import Callable

from sidecar.store import StoreReadings
from sidecar.telemetry.events import Bus
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter, set_or_hide
from sidecar.telemetry.state import BrokerReading

ReadStore = Callable[[], StoreReadings]


class StoreMetrics:
    """How the state file fares; without one the families have no series."""

    def __init__(self) -> None:
        self._writes = counter("sidecar_store_writes_total", "Works written to the state file.")
        self._batches = counter("sidecar_store_batches_total", "Waits for the disk that they shared.")
        self._failures = counter("sidecar_store_write_failures_total", "Writes that the state file did not take.")
        self._queued = Family("sidecar_store_queued_writes", "Writes that wait for the state file.")
        self._commit = Family("sidecar_store_commit_seconds", "How long the disk took for the newest write.")
        self._bytes = Family("sidecar_store_file_bytes", "What the state file takes on the disk.")

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (self._writes, self._batches, self._failures, self._queued, self._commit, self._bytes)

    def subscribe(self, bus: Bus) -> None:
        """Nothing to hear: all of it is read."""

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker."""

    def show(self, now: StoreReadings) -> None:
        """Set what is read of the state file."""
        self._writes[()].value = now.writes
        self._batches[()].value = now.batches
        self._failures[()].value = now.failures
        self._queued[()].value = now.queued
        self._bytes[()].value = now.file_bytes
        set_or_hide(self._commit, (), now.last_commit_seconds)
