"""What a call leaves behind: the trail of all that happened on its way, and how it ended."""

from contextvars import ContextVar
from dataclasses import dataclass

from sidecar.telemetry.events.alerting import ErrorRaised, ErrorResolved, NotificationSent
from sidecar.telemetry.events.calls import (
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
from sidecar.telemetry.events.operations import OperationChanged, OperationRecovery, OperationStep, PositionUnprotected
from sidecar.telemetry.events.orders import OrderRefused, OrdersRecovering, OrderStateChanged
from sidecar.telemetry.events.process import LastRunTold, PositionsClosed, Reloaded, Started, Stopped
from sidecar.telemetry.events.streams import StreamClosed, StreamMessages, StreamOpened
from sidecar.words import Effect, Outcome, Priority, RefusalKind, Why


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call went back to the bot."""

    id: str
    broker: str
    endpoint: str
    group: str
    effect: Effect
    priority: Priority
    method: str
    outcome: Outcome
    attempts: int
    why: Why | RefusalKind | None
    """Why no further retry, or why the sidecar refused; None when the call succeeded."""
    source: str
    """Who wrote the answer: `broker` or `sidecar`; or `cache`, which remembered one of the broker's."""
    status: int
    received: float
    """Unix seconds."""
    seconds: float
    waited: float
    """Seconds of `seconds` that were deliberate waits."""
    overhead: float
    """Seconds of `seconds` that were neither the broker's nor deliberate."""
    trace: TraceContext
    trail: tuple["Stamped", ...]
    """What happened on the way, in order."""
    audit: str
    """The endpoint's audit event type; empty when a success needs no line."""
    symbol: str = ""
    request: tuple[tuple[str, str], ...] = ()
    response: tuple[tuple[str, str], ...] = ()
    reconciled: bool = False
    """Whether its outcome was in doubt, and was found out by asking the broker."""


Event = (
    LimitReading
    | LimitThreshold
    | LimitLearnt
    | LimitReset
    | LimitWaited
    | LimitRejected
    | GateShut
    | GateOpened
    | BreakerTransition
    | BrokerStateChanged
    | DegradationChanged
    | CacheAsked
    | RetryScheduled
    | RetryDenied
    | AttemptFinished
    | OrderLookedUp
    | ClockOffsetLearnt
    | LoginFinished
    | CallFinished
    | CallReplayed
    | OrderStateChanged
    | OrderRefused
    | OrdersRecovering
    | OperationChanged
    | OperationStep
    | OperationRecovery
    | PositionUnprotected
    | CallRefused
    | StreamOpened
    | StreamMessages
    | StreamClosed
    | OperationalStateChanged
    | BrokerChecked
    | SelfChecked
    | Reloaded
    | LastRunTold
    | PositionsClosed
    | ErrorRaised
    | ErrorResolved
    | NotificationSent
    | Started
    | Stopped
)


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its time."""

    at: float
    """Unix seconds."""
    event: Event


Trail = list[Stamped]
trail: ContextVar[Trail | None] = ContextVar("trail", default=None)
"""What happened so far in the call that is being handled; None outside a call."""
