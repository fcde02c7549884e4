"""Where each event can be seen: the contract between what happens and what people find out.

An event that nobody can see and a metric that nothing feeds are both faults; the tests hold this table against the
registry of events, the metrics, the traces, the audit log and the news log, so that they cannot drift apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sidecar.telemetry import events


class InTrace(StrEnum):
    """What an event is in the trace of the call during which it happened."""

    CALL_SPAN = "call_span"
    """The SERVER span itself."""
    ATTEMPT_SPAN = "attempt_span"
    """A CLIENT span of its own."""
    ATTRIBUTE = "attribute"
    """Attributes of the attempt's span."""
    SPAN_EVENT = "span_event"
    """A span event on the call's or the attempt's span."""
    OPERATION_SPAN = "operation_span"
    """A span of an operation, outside of any call."""
    ABSENT = "absent"
    """It happens outside of any call."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Where one event can be seen."""

    metrics: tuple[str, ...] = ()
    """The metrics that it changes."""
    trace: InTrace = InTrace.ABSENT
    audit: bool = False
    """Whether the audit log has a line for it, where the call or the outcome is worth one."""
    log: bool = False
    """Whether the sidecar's own log tells it, unless it repeats what was told."""


SEEN: Mapping[type, Seen] = {
    events.LimitReading: Seen(("sidecar_rate_limit_readings_total",), InTrace.ATTRIBUTE),
    events.LimitThreshold: Seen(
        ("sidecar_rate_limit_threshold_crossings_total",), InTrace.SPAN_EVENT, audit=True, log=True
    ),
    events.LimitLearnt: Seen(("sidecar_rate_limit_capacity_changes_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.LimitReset: Seen(("sidecar_rate_limit_resets_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.LimitWaited: Seen(("sidecar_rate_limit_wait_seconds",), InTrace.SPAN_EVENT),
    events.LimitRejected: Seen(("sidecar_rate_limit_rejections_total",), InTrace.SPAN_EVENT),
    events.GateShut: Seen(("sidecar_rate_limit_gate_closures_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.GateOpened: Seen(("sidecar_rate_limit_gate_openings_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.BreakerTransition: Seen(("sidecar_breaker_transitions_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.BrokerStateChanged: Seen(
        ("sidecar_broker_state_transitions_total",), InTrace.SPAN_EVENT, audit=True, log=True
    ),
    events.DegradationChanged: Seen(
        ("sidecar_degradation_transitions_total",), InTrace.SPAN_EVENT, audit=True, log=True
    ),
    events.CacheAsked: Seen(("sidecar_cache_reads_total",), InTrace.SPAN_EVENT),
    events.RetryScheduled: Seen(("sidecar_retries_total",), InTrace.SPAN_EVENT, audit=True),
    events.RetryDenied: Seen(("sidecar_retries_denied_total",), InTrace.SPAN_EVENT),
    events.AttemptFinished: Seen(
        ("sidecar_attempts_total", "sidecar_attempt_duration_seconds"), InTrace.ATTEMPT_SPAN, audit=True
    ),
    events.OrderLookedUp: Seen(("sidecar_order_lookups_total",), InTrace.SPAN_EVENT, audit=True),
    events.ClockOffsetLearnt: Seen(("sidecar_clock_offset_seconds",), InTrace.SPAN_EVENT, log=True),
    events.LoginFinished: Seen(("sidecar_logins_total",), InTrace.SPAN_EVENT, audit=True, log=True),
    events.CallFinished: Seen(
        (
            "sidecar_calls_total",
            "sidecar_call_duration_seconds",
            "sidecar_overhead_seconds",
            "sidecar_own_answers_total",
        ),
        InTrace.CALL_SPAN,
        audit=True,
        log=True,
    ),
    events.CallReplayed: Seen(("sidecar_idempotent_calls_total",), audit=True),
    events.OrderStateChanged: Seen(("sidecar_orders_total",), audit=True, log=True),
    events.OrderRefused: Seen(("sidecar_order_refusals_total",), audit=True, log=True),
    # No metric: it is over before there is anything to scrape, and told by the log meanwhile.
    events.OrdersRecovering: Seen(audit=True, log=True),
    events.OperationChanged: Seen(("sidecar_operation_results_total",), audit=True, log=True),
    events.OperationStep: Seen(("sidecar_operation_steps_total",), audit=True),
    events.OperationRecovery: Seen(("sidecar_operation_recoveries_total",), audit=True),
    events.OperationTraced: Seen(("sidecar_operations_started_total",), InTrace.OPERATION_SPAN),
    events.PositionUnprotected: Seen(("sidecar_positions_unprotected_total",), audit=True, log=True),
    events.CallRefused: Seen(("sidecar_refused_requests_total",), audit=True, log=True),
    events.StreamOpened: Seen(("sidecar_streams_open", "sidecar_stream_reconnects_total"), audit=True, log=True),
    events.StreamMessages: Seen(
        ("sidecar_stream_messages_total", "sidecar_stream_last_message_timestamp_seconds"),
    ),
    events.StreamClosed: Seen(("sidecar_streams_open", "sidecar_stream_closures_total"), audit=True, log=True),
    events.OperationalStateChanged: Seen(
        ("sidecar_operational_state", "sidecar_operational_state_transitions_total"),
        audit=True,
        log=True,
    ),
    events.BrokerChecked: Seen(("sidecar_broker_readiness",), audit=True, log=True),
    # No metric: a start that fails is never scraped.
    events.SelfChecked: Seen(audit=True, log=True),
    events.Reloaded: Seen(("sidecar_reloads_total",), audit=True, log=True),
    # No metric: it is told once, about a process that is gone.
    events.LastRunTold: Seen(audit=True, log=True),
    # No metric: no scrape comes after it. What is left open is an error, which the next start still counts.
    events.PositionsClosed: Seen(audit=True, log=True),
    events.ErrorRaised: Seen(("sidecar_errors_total",)),
    events.ErrorResolved: Seen(audit=True),
    events.NotificationSent: Seen(("sidecar_notifications_total",), audit=True, log=True),
    events.Started: Seen(("sidecar_start_duration_seconds",), audit=True, log=True),
    # No metric: no scrape comes after it.
    events.Stopped: Seen(audit=True, log=True),
}
"""Every event."""

READ_AT_SCRAPE: Mapping[str, str] = {
    "sidecar_calls_in_flight": "BrokerReading.in_flight",
    "sidecar_retry_budget_remaining": "BrokerReading.retry_budget",
    "sidecar_breaker_state": "BreakerReading.state",
    "sidecar_breaker_mode": "BreakerReading.mode",
    "sidecar_breaker_failure_ratio": "BreakerReading.failure_rate",
    "sidecar_breaker_slow_ratio": "BreakerReading.slow_rate",
    "sidecar_breaker_next_probe_timestamp_seconds": "BreakerReading.retry_at",
    "sidecar_broker_state": "ConditionReading.state",
    "sidecar_broker_consecutive_unavailable": "ConditionReading.consecutive_503",
    "sidecar_broker_next_probe_timestamp_seconds": "ConditionReading.next_probe",
    "sidecar_new_risk_held": "BrokerReading.held",
    "sidecar_degradation_level": "DegradationReading.level",
    "sidecar_cache_bytes": "CacheReading.bytes",
    "sidecar_rate_limit_used": "LimitState.used",
    "sidecar_rate_limit_capacity": "LimitState.capacity",
    "sidecar_rate_limit_reading_timestamp_seconds": "LimitState.read_at",
    "sidecar_rate_limit_exhaustion_seconds": "LimitState.exhaustion_seconds",
    "sidecar_rate_limit_waiting": "LimitState.waiting",
    "sidecar_rate_limit_gate_shut": "GateReading.shut",
    "sidecar_rate_limit_gate_opening_timestamp_seconds": "GateReading.until",
    "sidecar_audit_lines_total": "AuditReadings.written",
    "sidecar_audit_dropped_events_total": "AuditReadings.dropped",
    "sidecar_audit_write_failures_total": "AuditReadings.failures",
    "sidecar_audit_queued_events": "AuditReadings.queued",
    "sidecar_audit_chain_intact": "AuditReadings.chain_ok",
    "sidecar_audit_last_write_timestamp_seconds": "AuditReadings.last_write",
    "sidecar_spans_total": "SpanReadings",
    "sidecar_errors_unresolved": "ErrorsReading.unresolved",
    "sidecar_orders_carried": "OrdersReading.counts",
    "sidecar_order_queue_age_seconds": "OrdersReading.oldest_seconds",
    "sidecar_operations": "OperationsReading.counts",
    "sidecar_store_writes_total": "StoreReadings.writes",
    "sidecar_store_batches_total": "StoreReadings.batches",
    "sidecar_store_write_failures_total": "StoreReadings.failures",
    "sidecar_store_queued_writes": "StoreReadings.queued",
    "sidecar_store_commit_seconds": "StoreReadings.last_commit_seconds",
    "sidecar_store_file_bytes": "StoreReadings.file_bytes",
}
"""Metrics that no event feeds, because they are read from a state when they are asked for; and the state's field."""

TOLD_OTHERWISE: Mapping[str, str] = {
    "sidecar_event_loop_lag_seconds": "a timer of its own, measured",
    "sidecar_info": "the version and the bot, known from the start",
    "sidecar_telemetry_failures_total": "the bus itself, when a subscriber fails",
}
"""Metrics that neither an event nor a reading feeds, and who does."""
