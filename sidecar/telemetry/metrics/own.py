"""Metrics of the sidecar itself: what it is, who was turned away at its door, and how its own telemetry fares."""

from collections.abc import Callable
from itertools import product

from sidecar.telemetry.audit import AuditReadings
from sidecar.telemetry.events import Bus, CallRefused, Started
from sidecar.telemetry.metrics.families import AnyFamily, Family, counter, set_or_hide
from sidecar.telemetry.state import BrokerReading
from sidecar.telemetry.traces import SpanReadings

LISTENERS = ("unix", "tcp")
REFUSAL_REASONS = (
    "unknown_broker",
    "too_large",
    "malformed",
    "foreign_host",
    "browser",
    "token",
    "peer",
    "upgrade",
)

ReadAudit = Callable[[], AuditReadings]
ReadSpans = Callable[[], SpanReadings]


class OwnMetrics:
    """The sidecar about itself. Without an audit log, or without tracing, their families have no series."""

    def __init__(self, *, bot: str, version: str) -> None:
        self._info = Family("sidecar_info", "The sidecar's version and its bot.", ("version", "bot"), "info")
        self._info[version, bot].value = 1
        self._start = Family(
            "sidecar_start_duration_seconds",
            "Time from the first room opened to readiness; loading the program comes before it.",
        )
        self._refused = counter(
            "sidecar_refused_requests_total", "Requests turned away at the door.", ("listener", "reason")
        ).born(product(LISTENERS, REFUSAL_REASONS))
        self._failures = counter("sidecar_telemetry_failures_total", "Events that a subscriber failed to handle.").born(
            [()]
        )
        self._audit_lines = counter("sidecar_audit_lines_total", "Lines written to the audit log.")
        self._audit_dropped = counter("sidecar_audit_dropped_events_total", "Events lost to the audit log.")
        self._audit_failures = counter("sidecar_audit_write_failures_total", "Writes of audit lines that failed.")
        self._audit_queue = Family("sidecar_audit_queued_events", "Events that wait to be written to the audit log.")
        self._audit_intact = Family("sidecar_audit_chain_intact", "1 while no audit line is known to be lost.")
        self._audit_newest = Family(
            "sidecar_audit_last_write_timestamp_seconds", "When the audit log was last written."
        )
        self._spans = counter("sidecar_spans_total", "Spans for the trace collector.", ("result",))

    @property
    def families(self) -> tuple[AnyFamily, ...]:
        """In the order in which they are shown."""
        return (
            self._info,
            self._start,
            self._refused,
            self._failures,
            self._audit_lines,
            self._audit_dropped,
            self._audit_failures,
            self._audit_queue,
            self._audit_intact,
            self._audit_newest,
            self._spans,
        )

    def subscribe(self, bus: Bus) -> None:
        """Listen to the door."""
        bus.subscribe(CallRefused, self._on_refusal)
        bus.subscribe(Started, self._on_start)

    def refresh(self, reading: BrokerReading) -> None:
        """Nothing to read of a broker."""

    def show_audit(self, now: AuditReadings) -> None:
        """Set what is read of the audit log."""
        self._audit_lines[()].value = now.written
        self._audit_dropped[()].value = now.dropped
        self._audit_failures[()].value = now.failures
        self._audit_queue[()].value = now.queued
        self._audit_intact[()].value = now.chain_ok
        set_or_hide(self._audit_newest, (), now.last_write)

    def show_spans(self, now: SpanReadings) -> None:
        """Set what is read of the trace export."""
        self._spans["exported",].value = now.exported
        self._spans["failed",].value = now.failed
        self._spans["dropped",].value = now.dropped

    def count_failure(self) -> None:
        """A subscriber failed to handle an event."""
        self._failures[()].value += 1

    def _on_refusal(self, event: CallRefused) -> None:
        self._refused[event.listener, event.reason].value += 1

    def _on_start(self, event: Started) -> None:
        self._start[()].value = event.seconds
