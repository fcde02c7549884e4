"""Metrics of the error registry, and of those who were told."""

from collections.abc import Callable, Sequence
from itertools import product

from sidecar.alerting.types import TYPES
from sidecar.telemetry.events import NOTIFICATION_RESULTS, Bus, ErrorRaised, NotificationSent
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter
from sidecar.telemetry.state import BrokerReading, BrokerShape, ErrorsReading
from sidecar.words import Severity

ReadErrors = Callable[[], ErrorsReading]


class ErrorMetrics:
    """Errors by broker, type and severity; the broker is empty for the sidecar's own. Notifications by channel."""

    def __init__(self, shapes: Sequence[BrokerShape], channels: Sequence[str]) -> None:
        known = [
            (broker, error_type, kind.severity)
            for broker in ("", *(shape.name for shape in shapes))
            for error_type, kind in TYPES.items()
        ]
        by = ("broker", "error_type", "severity")
        self._raised = counter("sidecar_errors_total", "Errors, counted each time that they happen.", by).born(known)
        self._unresolved = Family("sidecar_errors_unresolved", "Errors that last.", by).born(known)
        self._told = counter(
            "sidecar_notifications_total",
            "Notifications by what became of them.",
            ("channel", "severity", "result"),
        ).born(product(channels, Severity, NOTIFICATION_RESULTS))

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return self._raised, self._unresolved, self._told

    def subscribe(self, bus: Bus) -> None:
        """Listen to errors and notifications."""
        bus.subscribe(ErrorRaised, self._on_raised)
        bus.subscribe(NotificationSent, self._on_told)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker."""

    def show(self, now: ErrorsReading) -> None:
        """Set what is read of the registry."""
        for cell in self._unresolved.values():
            cell.value = 0
        for broker, error_type, severity, count in now.unresolved:
            self._unresolved[broker, error_type, severity].value = count

    def _on_raised(self, event: ErrorRaised) -> None:
        self._raised[event.broker, event.error_type, event.severity].value += 1

    def _on_told(self, event: NotificationSent) -> None:
        self._told[event.channel, event.severity, event.result].value += 1
