"""What the events on a call's trail say in its spans."""

from collections.abc import Mapping
from typing import Any

from sidecar.telemetry import events
from sidecar.words import Priority

STEP_NAMES: Mapping[type, str] = {
    events.BreakerTransition: "breaker_transition",
    events.BrokerStateChanged: "broker_state_changed",
    events.DegradationChanged: "degradation_changed",
    events.CacheAsked: "cache_asked",
    events.GateShut: "gate_shut",
    events.GateOpened: "gate_opened",
    events.LimitThreshold: "limit_threshold",
    events.LimitLearnt: "limit_learnt",
    events.LimitReset: "limit_reset",
    events.LimitWaited: "limit_waited",
    events.LimitRejected: "limit_rejected",
    events.RetryScheduled: "retry_scheduled",
    events.RetryDenied: "retry_denied",
    events.OrderLookedUp: "order_looked_up",
    events.ClockOffsetLearnt: "clock_offset_learnt",
    events.LoginFinished: "login_finished",
}
"""Events that become span events, and their names there."""

_OF_THE_ANSWER = (
    events.GateShut,
    events.LimitThreshold,
    events.LimitLearnt,
    events.BreakerTransition,
    events.BrokerStateChanged,
    events.DegradationChanged,
)
_OF_THE_CALL = {"recovery", "manual"}
_SAID_BY_THE_SPAN = {"broker", "endpoint"}

Attributes = dict[str, str | int | float | bool]


def caused_by_an_answer(event: events.Event) -> bool:
    """Whether an event belongs to the attempt before it, rather than to the call."""
    if isinstance(event, events.BreakerTransition):
        return event.reason not in _OF_THE_CALL
    return isinstance(event, _OF_THE_ANSWER)


def step_attributes(event: events.Event) -> Attributes:
    """An event's fields as attributes; the broker and endpoint are the span's."""
    names = (name for name in event.__dataclass_fields__ if name not in _SAID_BY_THE_SPAN)
    values = ((name, getattr(event, name)) for name in names)
    return {f"sidecar.{name}": _plain(value) for name, value in values if value not in {None, ""}}


def _plain(value: Any) -> str | int | float | bool:
    if isinstance(value, Priority):
        return value.label
    return str(value) if isinstance(value, str) else value
