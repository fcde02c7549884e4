"""Which event means that an error has happened, and which that it is over: two tables, one line for each reason.

A line that raises says what the error is about within its broker (its subject), and one that ends names the same
subject; None ends all that the broker has of this type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sidecar.alerting import calls
from sidecar.alerting.registry import Registry
from sidecar.alerting.types import ErrorType
from sidecar.clock import Cancellable, Clock
from sidecar.telemetry import events
from sidecar.telemetry.events import FILLS, Bus, CallFinished
from sidecar.words import BreakerState, BrokerState, DegradationLevel, OrderState, Outcome, Readiness

FAR_SECONDS: Final = 1.0
"""From here on a clock is off: Binance refuses what is a second ahead of its own."""
REOPENING_SECONDS: Final = 60.0
"""How long the stream of fills may stay away before anybody is told: brokers end their streams now and then."""
LOOK_SECONDS: Final = 3.0
"""How long the sidecar looks for an order in doubt before a person is told: usually it is found sooner."""
STARTUP: Final = "startup"
"""What an error of the start-up checks is about, beside the endpoint groups that calls are about."""
ORDERS: Final = "orders"
"""The endpoint group whose breaker stops trading."""


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Raises:
    """One reason for an error."""

    kind: ErrorType
    event: type
    when: Callable[[Any], bool]
    subject: Callable[[Any], str] = lambda _: ""
    context: Callable[[Any], Mapping[str, Any]] = _nothing
    after: float = 0.0
    """Seconds that it must last, where the sidecar itself may find its end first."""


@dataclass(frozen=True, slots=True)
class Ends:
    """One reason why an error is over."""

    kind: ErrorType
    event: type
    when: Callable[[Any], bool] = lambda _: True
    subject: Callable[[Any], str | None] = lambda _: None
    inherited: bool = False
    """Only for what an earlier process has left: this one was not there when it ended."""


def _fields(*names: str) -> Callable[[Any], Mapping[str, Any]]:
    return lambda event: {name: value for name in names if (value := getattr(event, name)) not in {None, ""}}


def _field(name: str) -> Callable[[Any], str]:
    return lambda event: str(getattr(event, name))


def _opened(event: events.BreakerTransition) -> bool:
    return event.to_state is BreakerState.OPEN


def _no_longer_open(event: events.BreakerTransition) -> bool:
    return event.to_state not in {BreakerState.OPEN, BreakerState.HALF_OPEN}


def _became(state: BrokerState) -> Callable[[events.BrokerStateChanged], bool]:
    return lambda event: event.to_state is state


def _left(state: BrokerState) -> Callable[[events.BrokerStateChanged], bool]:
    return lambda event: event.to_state is not state


def _shut_for(outcome: Outcome) -> Callable[[events.GateShut], bool]:
    return lambda event: event.outcome is outcome


def _lost(event: events.StreamClosed) -> bool:
    return event.stream != FILLS and event.reason in {"lost", "broker_closed"}


def _told_no_more(event: events.StreamClosed) -> bool:
    return event.stream == FILLS and event.reason in {"lost", "broker_closed", "unopened"}


def _newly(event: events.BrokerChecked, state: Readiness) -> bool:
    return event.to_state is state and event.from_state is not state


def _far(event: events.ClockOffsetLearnt) -> bool:
    return abs(event.offset) >= FAR_SECONDS


def _order_is(*states: OrderState) -> Callable[[events.OrderStateChanged], bool]:
    return lambda event: event.to_state in states


def _never_sent(event: events.OrderStateChanged) -> bool:
    """Whether its time ran out here; at the broker it does so as the bot has ordered."""
    return event.to_state is OrderState.EXPIRED and event.from_state is not OrderState.WORKING


def _carried(event: events.OrderStateChanged) -> str:
    return event.client_id or event.order


def _ok_order(call: CallFinished) -> bool:
    return calls.succeeded(call) and call.group == ORDERS


def _restricts(event: events.DegradationChanged) -> bool:
    return event.to_level in {DegradationLevel.READ_ONLY, DegradationLevel.EMERGENCY}


_BREAKER: Final = _fields("group", "reason", "retry_in", "note")
_ORDER: Final = _fields("order", "client_id", "kind", "instrument", "reason", "may_have_been_executed")
_CONDITION: Final = _fields("reason", "consecutive_503")

RAISES: Final = (
    Raises(ErrorType.AUTH_FAILED, CallFinished, calls.unauthorised, _field("group"), calls.context),
    Raises(ErrorType.ORDER_OUTCOME_UNKNOWN, CallFinished, calls.in_doubt, calls.order, calls.context),
    Raises(ErrorType.CONNECTION_FAILED, CallFinished, calls.unreached, _field("group"), calls.context),
    Raises(ErrorType.SERVER_ERRORS, CallFinished, calls.failed_there, _field("group"), calls.context),
    Raises(ErrorType.CLOCK_SKEW, CallFinished, calls.too_early_or_late, context=calls.context),
    Raises(ErrorType.REQUEST_REFUSED, CallFinished, calls.malformed, _field("endpoint"), calls.context),
    Raises(
        ErrorType.ORDERS_BREAKER_OPEN,
        events.BreakerTransition,
        lambda event: _opened(event) and event.group == ORDERS,
        _field("group"),
        _BREAKER,
    ),
    Raises(
        ErrorType.BREAKER_OPEN,
        events.BreakerTransition,
        lambda event: _opened(event) and event.group != ORDERS,
        _field("group"),
        _BREAKER,
    ),
    Raises(ErrorType.BROKER_DOWN, events.BrokerStateChanged, _became(BrokerState.DEGRADED), context=_CONDITION),
    Raises(
        ErrorType.TRADING_RESTRICTED,
        events.DegradationChanged,
        _restricts,
        context=_fields("to_level", "cause", "note", "seconds"),
    ),
    Raises(ErrorType.MAINTENANCE, events.BrokerStateChanged, _became(BrokerState.MAINTENANCE), context=_CONDITION),
    Raises(ErrorType.BANNED, events.GateShut, _shut_for(Outcome.BANNED), context=_fields("seconds", "until")),
    Raises(
        ErrorType.RATE_LIMITED, events.GateShut, _shut_for(Outcome.RATE_LIMITED), context=_fields("seconds", "until")
    ),
    Raises(
        ErrorType.LIMIT_NEAR,
        events.LimitThreshold,
        lambda event: event.above,
        _field("limit"),
        _fields("limit", "used", "capacity"),
    ),
    Raises(
        ErrorType.ORDER_OUTCOME_UNKNOWN,
        events.OrderStateChanged,
        _order_is(OrderState.IN_DOUBT),
        _carried,
        _ORDER,
        after=LOOK_SECONDS,
    ),
    Raises(ErrorType.ORDER_DEAD, events.OrderStateChanged, _order_is(OrderState.DEAD), _carried, _ORDER),
    Raises(ErrorType.ORDER_EXPIRED, events.OrderStateChanged, _never_sent, _carried, _ORDER),
    Raises(
        ErrorType.POSITION_UNPROTECTED,
        events.PositionUnprotected,
        lambda _: True,
        _field("operation"),
        _fields("operation", "type", "instrument", "reason"),
    ),
    Raises(
        ErrorType.POSITION_LEFT_OPEN,
        events.PositionsClosed,
        lambda event: bool(event.open),
        context=lambda event: {"open": ", ".join(event.open), "closed": ", ".join(event.closed)},
    ),
    Raises(ErrorType.STREAM_LOST, events.StreamClosed, _lost, _field("stream"), _fields("stream", "reason")),
    Raises(
        ErrorType.FILLS_LATE,
        events.StreamClosed,
        _told_no_more,
        _field("stream"),
        _fields("stream", "reason"),
        REOPENING_SECONDS,
    ),
    Raises(
        ErrorType.STARTUP_FAILED,
        events.BrokerChecked,
        lambda event: _newly(event, Readiness.WAITING),
        context=_fields("reason"),
    ),
    Raises(
        ErrorType.AUTH_FAILED,
        events.BrokerChecked,
        lambda event: _newly(event, Readiness.ERROR),
        lambda _: STARTUP,
        _fields("reason"),
    ),
    Raises(ErrorType.CLOCK_SKEW, events.ClockOffsetLearnt, _far, context=_fields("offset", "source")),
)
"""Every event that is an error."""

ENDS: Final = (
    Ends(ErrorType.AUTH_FAILED, CallFinished, calls.succeeded, _field("group")),
    Ends(ErrorType.CONNECTION_FAILED, CallFinished, calls.answered, _field("group")),
    Ends(ErrorType.SERVER_ERRORS, CallFinished, calls.answered, _field("group")),
    Ends(ErrorType.REQUEST_REFUSED, CallFinished, calls.succeeded, _field("endpoint")),
    Ends(
        ErrorType.ORDER_OUTCOME_UNKNOWN,
        events.OrderStateChanged,
        lambda event: event.to_state is not OrderState.IN_DOUBT,
        _carried,
    ),
    Ends(ErrorType.ORDERS_BREAKER_OPEN, events.BreakerTransition, _no_longer_open, _field("group")),
    Ends(ErrorType.BREAKER_OPEN, events.BreakerTransition, _no_longer_open, _field("group")),
    Ends(ErrorType.ORDERS_BREAKER_OPEN, CallFinished, _ok_order, inherited=True),
    Ends(ErrorType.BREAKER_OPEN, CallFinished, calls.succeeded, _field("group"), inherited=True),
    Ends(ErrorType.BROKER_DOWN, events.BrokerStateChanged, _left(BrokerState.DEGRADED)),
    Ends(ErrorType.BROKER_DOWN, CallFinished, calls.succeeded, inherited=True),
    Ends(ErrorType.POSITION_LEFT_OPEN, events.PositionsClosed, lambda event: not event.open),
    Ends(ErrorType.TRADING_RESTRICTED, events.DegradationChanged, lambda event: not _restricts(event)),
    # A level does not outlive its process.
    Ends(ErrorType.TRADING_RESTRICTED, events.BrokerChecked, inherited=True),
    Ends(ErrorType.MAINTENANCE, events.BrokerStateChanged, _left(BrokerState.MAINTENANCE)),
    Ends(ErrorType.MAINTENANCE, CallFinished, calls.succeeded, inherited=True),
    Ends(ErrorType.BANNED, events.GateOpened),
    Ends(ErrorType.BANNED, CallFinished, calls.succeeded, inherited=True),
    Ends(ErrorType.RATE_LIMITED, events.GateOpened),
    Ends(ErrorType.RATE_LIMITED, CallFinished, calls.succeeded, inherited=True),
    Ends(ErrorType.LIMIT_NEAR, events.LimitThreshold, lambda event: not event.above, _field("limit")),
    Ends(ErrorType.LIMIT_NEAR, CallFinished, calls.succeeded, inherited=True),
    Ends(ErrorType.STREAM_LOST, events.StreamOpened, subject=_field("stream")),
    Ends(ErrorType.FILLS_LATE, events.StreamOpened, subject=_field("stream")),
    Ends(ErrorType.FILLS_LATE, events.StreamClosed, lambda event: event.reason == "unneeded", subject=_field("stream")),
    Ends(ErrorType.STARTUP_FAILED, events.BrokerChecked, lambda event: event.to_state is not Readiness.WAITING),
    Ends(
        ErrorType.AUTH_FAILED,
        events.BrokerChecked,
        lambda event: event.to_state is Readiness.READY,
        lambda _: STARTUP,
    ),
    Ends(ErrorType.CLOCK_SKEW, events.ClockOffsetLearnt, lambda event: not _far(event)),
    Ends(ErrorType.CLOCK_SKEW, CallFinished, calls.accepted_order),
)
"""Every event that ends an error; the orders that a call names are looked at besides."""


class Watch:
    """Puts into the registry what the bus tells."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._held: dict[tuple[ErrorType, str, str], Cancellable] = {}
        self._raises = _by_event(RAISES)
        self._ends = _by_event(ENDS)

    def subscribe(self, bus: Bus) -> None:
        """Listen to everything that is an error or the end of one."""
        for kind in {*self._raises, *self._ends}:
            bus.subscribe(kind, self._hear)

    def _hear(self, event: Any) -> None:
        for line in self._raises.get(type(event), ()):
            if line.when(event):
                self._raise(line, event)
        # Nearly always nothing lasts, and then a call costs no more than this question.
        if not (self._registry.open_count or self._held):
            return
        for end in self._ends.get(type(event), ()):
            if (self._held or self._registry.is_open(end.kind, event.broker)) and end.when(event):
                self._end(end, event)
        if isinstance(event, CallFinished) and self._registry.is_open(ErrorType.ORDER_OUTCOME_UNKNOWN, event.broker):
            for order in calls.settled(event):
                self._registry.ended(ErrorType.ORDER_OUTCOME_UNKNOWN, event.broker, order)

    def _raise(self, line: Raises, event: Any) -> None:
        key = (line.kind, event.broker, line.subject(event))
        context = line.context(event)
        if not line.after:
            self._registry.happened(*key, context)
        elif key not in self._held:

            def happened() -> None:
                del self._held[key]
                self._registry.happened(*key, context)

            self._held[key] = self._clock.call_later(line.after, happened)

    def _end(self, end: Ends, event: Any) -> None:
        subject = end.subject(event)
        for key in [key for key in self._held if key[:2] == (end.kind, event.broker) and subject in {None, key[2]}]:
            self._held.pop(key).cancel()
        self._registry.ended(end.kind, event.broker, subject, inherited=end.inherited)


L = TypeVar("L", Raises, Ends)


def _by_event(lines: tuple[L, ...]) -> dict[type, tuple[L, ...]]:
    return {kind: tuple(line for line in lines if line.event is kind) for kind in {line.event for line in lines}}
