"""How an event reaches those who listen."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from sidecar.clock import Clock
from sidecar.telemetry.events.alerting import ErrorRaised, ErrorResolved, NotificationSent
from sidecar.telemetry.events.calls import (
    AttemptFinished,
    CacheAsked,
    CallFinished,
    CallRefused,
    CallReplayed,
    OrderLookedUp,
    RetryDenied,
    RetryScheduled,
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
E = TypeVar("E")
Handler = Callable[[Any], None]


class Bus:
    """Hands each event to those who asked for its kind, in the order in which they asked.

    Handlers run in the emitter's own task: they must be quick and must not block. One that fails is reported to
    `on_failure` and keeps nobody else from hearing the event.
    """

    def __init__(self, clock: Clock, on_failure: Callable[[Exception], None] | None = None) -> None:
        self._clock = clock
        self._handlers: dict[type, tuple[Handler, ...]] = {}
        self.on_failure = on_failure

    def subscribe(self, kind: type[E], handler: Callable[[E], None]) -> None:
        """Call `handler` with every event of exactly this type."""
        self._handlers[kind] = (*self._handlers.get(kind, ()), handler)

    def emit(self, event: Event) -> None:
        """Tell that something happened; put it on the trail of the call in progress."""
        steps = trail.get()
        if steps is not None:
            steps.append(Stamped(self._clock.now(), event))
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception as failure:  # noqa: BLE001 - a broken listener must not break a call
                if self.on_failure is not None:
                    self.on_failure(failure)
