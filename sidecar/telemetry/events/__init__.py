"""The registry of everything that can happen.

A room emits an event once, at the place where it happens, and knows nothing of who listens. Subscribers turn it into
metrics, spans, audit lines and log lines. Every event is a small frozen dataclass of plain values; none carries a
query, a body, a key or a signature.
"""

from sidecar.telemetry.events.alerting import NOTIFICATION_RESULTS, ErrorRaised, ErrorResolved, NotificationSent
from sidecar.telemetry.events.bus import Bus, Handler
from sidecar.telemetry.events.calls import (
    REPLAYS,
    AttemptFinished,
    CacheAsked,
    CallRefused,
    CallReplayed,
    OrderLookedUp,
    RetryDenied,
    RetryScheduled,
    TraceContext,
)
from sidecar.telemetry.events.health import (
    BreakerTransition,
    BrokerChecked,
    BrokerStateChanged,
    ClockOffsetLearnt,
    DegradationChanged,
    LoginFinished,
    OperationalStateChanged,
    SelfChecked,
)
from sidecar.telemetry.events.limits import (
    GateOpened,
    GateShut,
    LimitLearnt,
    LimitReading,
    LimitRejected,
    LimitReset,
    LimitThreshold,
    LimitWaited,
)
from sidecar.telemetry.events.operations import (
    OPERATION_RECOVERIES,
    OPERATION_STEPS,
    OperationChanged,
    OperationRecovery,
    OperationStep,
    PositionUnprotected,
)
from sidecar.telemetry.events.orders import ORDER_REFUSALS, OrderRefused, OrdersRecovering, OrderStateChanged
from sidecar.telemetry.events.process import RELOADS, LastRunTold, PositionsClosed, Reloaded, Started, Stopped
from sidecar.telemetry.events.streams import FILLS, STREAM_ENDS, StreamClosed, StreamMessages, StreamOpened
from sidecar.telemetry.events.trail import CallFinished, Event, Stamped, Trail, trail

__all__ = [
    "FILLS",
    "NOTIFICATION_RESULTS",
    "OPERATION_RECOVERIES",
    "OPERATION_STEPS",
    "ORDER_REFUSALS",
    "RELOADS",
    "REPLAYS",
    "STREAM_ENDS",
    "AttemptFinished",
    "BreakerTransition",
    "BrokerChecked",
    "BrokerStateChanged",
    "Bus",
    "CacheAsked",
    "CallFinished",
    "CallRefused",
    "CallReplayed",
    "ClockOffsetLearnt",
    "DegradationChanged",
    "ErrorRaised",
    "ErrorResolved",
    "Event",
    "GateOpened",
    "GateShut",
    "Handler",
    "LastRunTold",
    "LimitLearnt",
    "LimitReading",
    "LimitRejected",
    "LimitReset",
    "LimitThreshold",
    "LimitWaited",
    "LoginFinished",
    "NotificationSent",
    "OperationChanged",
    "OperationRecovery",
    "OperationStep",
    "OperationalStateChanged",
    "OrderLookedUp",
    "OrderRefused",
    "OrderStateChanged",
    "OrdersRecovering",
    "PositionUnprotected",
    "PositionsClosed",
    "Reloaded",
    "RetryDenied",
    "RetryScheduled",
    "SelfChecked",
    "Stamped",
    "Started",
    "Stopped",
    "StreamClosed",
    "StreamMessages",
    "StreamOpened",
    "TraceContext",
    "Trail",
    "trail",
]
