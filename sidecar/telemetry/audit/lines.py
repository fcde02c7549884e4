"""What each event becomes in the audit log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sidecar.telemetry import events
from sidecar.telemetry.events import AttemptFinished, CallFinished, OrderLookedUp, RetryScheduled
from sidecar.words import Effect, Outcome, Priority

EVENT_TYPES: Mapping[type, str] = {
    events.BreakerTransition: "breaker_transition",
    events.BrokerStateChanged: "broker_state_changed",
    events.DegradationChanged: "degradation_changed",
    events.GateShut: "gate_shut",
    events.GateOpened: "gate_opened",
    events.LimitThreshold: "limit_threshold",
    events.LimitLearnt: "limit_learnt",
    events.LimitReset: "limit_reset",
    events.LoginFinished: "login_finished",
    events.CallReplayed: "call_replayed",
    events.OrderStateChanged: "carried_order_changed",
    events.OrderRefused: "carried_order_refused",
    events.OrdersRecovering: "orders_recovering",
    events.OperationChanged: "operation_changed",
    events.OperationStep: "operation_step",
    events.OperationRecovery: "operation_recovery",
    events.PositionUnprotected: "position_unprotected",
    events.CallRefused: "request_refused",
    events.StreamOpened: "stream_opened",
    events.StreamClosed: "stream_closed",
    events.OperationalStateChanged: "operational_state_changed",
    events.BrokerChecked: "broker_checked",
    events.SelfChecked: "self_checked",
    events.Reloaded: "configuration_reloaded",
    events.LastRunTold: "last_run_told",
    events.PositionsClosed: "positions_closed",
    events.ErrorResolved: "error_resolved",
    events.NotificationSent: "notification",
    events.Started: "sidecar_started",
    events.Stopped: "sidecar_stopped",
}
"""Events that are a line by themselves; calls are told by the tables below.

Waits for a limit and refusals by one are not among them: the call's own line tells both.
"""

ORDER_TYPES: Mapping[Outcome, str] = {
    Outcome.OK: "order_accepted",
    Outcome.REJECTED: "order_rejected",
    Outcome.FATAL: "order_rejected",
    Outcome.RATE_LIMITED: "order_failed",
    Outcome.BANNED: "order_failed",
    Outcome.MAINTENANCE: "order_failed",
    Outcome.TRANSIENT: "order_failed",
    Outcome.UNKNOWN: "order_unknown",
}
"""How a call on an order endpoint ended. `order_accepted` stands for a success that the profile gives no name;
`order_failed` was sent and definitely not executed."""
ORDER_REFUSED = "order_refused"
"""The sidecar said no and the broker never saw the order."""
API_ERROR = "api_error"
"""Any other call that failed."""
RETRY = "retry_attempt"
RATE_LIMIT = "rate_limit"
"""The broker answered an attempt with 429 or 418."""
LOOKUP = "order_lookup"
"""The sidecar asked the broker what became of an order whose call was in doubt."""

RECOVERED = "audit_recovered"
DROPPED = "audit_lines_dropped"
FILE_REMOVED = "audit_file_removed"
OWN_TYPES = (RECOVERED, DROPPED, FILE_REMOVED)
"""What the audit log says of itself."""

_LIMITED = {Outcome.RATE_LIMITED, Outcome.BANNED}
_RISK = {Effect.OPENS_RISK, Effect.REDUCES_RISK}
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in EVENT_TYPES}


@dataclass(frozen=True, slots=True)
class Line:
    """One line before it is numbered and sealed."""

    at: float
    """Unix seconds at which it happened."""
    event: str
    fields: Mapping[str, Any]


def wanted(call: CallFinished) -> bool:
    """Whether a call leaves a line: it touched an order, has an audit type, failed, or was retried."""
    return bool(call.audit) or call.outcome is not Outcome.OK or call.attempts > 1 or call.effect in _RISK


def lines_of(at: float, event: object) -> Iterator[Line]:
    """The lines of one event that happened at `at`; none for what needs no line."""
    if isinstance(event, CallFinished):
        yield from _steps(event)
        kind = call_type(event)
        if kind:
            yield Line(at, kind, _call(event))
    elif type(event) in EVENT_TYPES:
        yield Line(at, EVENT_TYPES[type(event)], _plain(event))


def call_type(call: CallFinished) -> str:
    """The audit event type of a call; empty when it needs no line of its own."""
    if _is_order(call):
        if call.source == "sidecar" and call.attempts == 0 and call.outcome is not Outcome.UNKNOWN:
            return ORDER_REFUSED
        return call.audit if call.audit and call.outcome is Outcome.OK else ORDER_TYPES[call.outcome]
    return call.audit if call.outcome is Outcome.OK else API_ERROR


def _is_order(call: CallFinished) -> bool:
    return call.effect in _RISK or (call.effect is not Effect.READ and call.audit.startswith("order_"))


def _steps(call: CallFinished) -> Iterator[Line]:
    for step in call.trail:
        if isinstance(step.event, RetryScheduled):
            yield Line(step.at, RETRY, _retry(call, step.event))
        elif isinstance(step.event, AttemptFinished) and step.event.outcome in _LIMITED:
            yield Line(step.at, RATE_LIMIT, _limited(call, step.event))
        elif isinstance(step.event, OrderLookedUp):
            yield Line(step.at, LOOKUP, _looked_up(call, step.event))


def _plain(event: Any) -> dict[str, Any]:
    values = {name: getattr(event, name) for name in _NAMES[type(event)]}
    return {
        name: value.label if isinstance(value, Priority) else value
        for name, value in values.items()
        if value is not None and value != ""
    }


def _retry(call: CallFinished, retry: RetryScheduled) -> dict[str, Any]:
    return {
        **_where(call),
        "error": {"reason": retry.reason},
        "attempt": retry.attempt,
        "delay": round(retry.delay, 6),
        **_ids(call),
    }


def _limited(call: CallFinished, attempt: AttemptFinished) -> dict[str, Any]:
    return {
        **_where(call),
        "error": _error(attempt),
        "outcome": attempt.outcome,
        "attempt": attempt.number,
        "status": attempt.status,
        **_ids(call),
    }


def _looked_up(call: CallFinished, look: OrderLookedUp) -> dict[str, Any]:
    found = {"order_status": look.status} if look.status else {}
    return {**_where(call), "number": look.number, "result": look.result, **found, **_ids(call)}


def _call(call: CallFinished) -> dict[str, Any]:
    line: dict[str, Any] = _where(call)
    if call.request:
        line["order"] = dict(call.request)
    if call.response:
        line["response"] = dict(call.response)
    if call.outcome is not Outcome.OK:
        attempts = (step.event for step in reversed(call.trail) if isinstance(step.event, AttemptFinished))
        line["error"] = _error(next(attempts, None))
    line["outcome"] = call.outcome
    line["attempts"] = call.attempts
    line["status"] = call.status
    line["source"] = call.source
    if call.reconciled:
        line["reconciled"] = True
    if call.why is not None:
        line["why"] = call.why
    line["duration"] = round(call.seconds, 6)
    if call.waited:
        line["waited"] = round(call.waited, 6)
    return line | _ids(call)


def _where(call: CallFinished) -> dict[str, Any]:
    where = {"broker": call.broker, "operation": call.endpoint}
    if call.symbol:
        where["symbol"] = call.symbol
    return where


def _error(attempt: AttemptFinished | None) -> dict[str, str]:
    if attempt is None:
        return {"reason": "refused"}
    return {"reason": attempt.reason, "code": attempt.code} if attempt.code else {"reason": attempt.reason}


def _ids(call: CallFinished) -> dict[str, str]:
    return {"correlation_id": call.id, "trace_id": f"{call.trace.trace_id:032x}"}
