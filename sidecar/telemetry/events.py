"""The registry of everything that can happen.

A room emits an event once, at the place where it happens, and knows nothing of who listens. Subscribers turn it into
metrics, spans, audit lines and log lines. Every event is a small frozen dataclass of plain values; none carries a
query, a body, a key or a signature.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from sidecar.clock import Clock
from sidecar.words import (
    BreakerState,
    BrokerState,
    CacheResult,
    ClockSource,
    DegradationCause,
    DegradationLevel,
    Effect,
    LoginResult,
    LookResult,
    OperationalState,
    OperationState,
    OperationType,
    OrderState,
    Outcome,
    Priority,
    Readiness,
    RefusalKind,
    Severity,
    Why,
)


@dataclass(frozen=True, slots=True)
class LimitReading:
    """A broker's answer told how much of a limit is used."""

    broker: str
    limit: str
    used: float
    capacity: float
    at: float
    """Unix seconds of the reading."""


@dataclass(frozen=True, slots=True)
class LimitThreshold:
    """A limit's use crossed the warning share, upwards (`above`) or back down."""

    broker: str
    limit: str
    used: float
    capacity: float
    above: bool


@dataclass(frozen=True, slots=True)
class LimitLearnt:
    """A broker announced a limit's capacity, and it differs from what was assumed."""

    broker: str
    limit: str
    before: float
    capacity: float


@dataclass(frozen=True, slots=True)
class LimitReset:
    """A person reset the limits of a broker."""

    broker: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitWaited:
    """A call was made to wait for a limit or a closed gate, and went on."""

    broker: str
    group: str
    priority: Priority
    seconds: float
    limit: str
    """The limit that was short, or `gate`."""


@dataclass(frozen=True, slots=True)
class LimitRejected:
    """A call was refused because a limit or a closed gate would have kept it past its deadline."""

    broker: str
    group: str
    priority: Priority
    limit: str


@dataclass(frozen=True, slots=True)
class GateShut:
    """The broker said 429 or 418: nothing goes to its address until `until`."""

    broker: str
    outcome: Outcome
    """`rate_limited` or `banned`."""
    seconds: float
    until: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """The address may be called again."""

    broker: str


@dataclass(frozen=True, slots=True)
class BreakerTransition:
    """A breaker changed its state."""

    broker: str
    group: str
    from_state: BreakerState
    to_state: BreakerState
    reason: str
    """Closed set: `failures`, `failure_rate`, `slow_calls`, `recovery`, `probe_ok`, `probe_failed`, `manual`."""
    retry_in: float | None = None
    """Seconds until the first probe, when it opened."""
    note: str = ""
    """What a person gave as the reason of a manual change."""


@dataclass(frozen=True, slots=True)
class BrokerStateChanged:
    """A broker's condition changed."""

    broker: str
    from_state: BrokerState
    to_state: BrokerState
    reason: str
    """A few words for a person; not a closed set."""
    consecutive_503: int
    probe_in: float
    """Seconds until the next look at the broker."""


@dataclass(frozen=True, slots=True)
class DegradationChanged:
    """More or less of a broker may be used from now on; or a person said something about it that changed nothing."""

    broker: str
    from_level: DegradationLevel
    to_level: DegradationLevel
    cause: DegradationCause
    note: str = ""
    """A person's reason, or the breaker's group."""
    seconds: float | None = None
    """How long what a person set holds at most."""


@dataclass(frozen=True, slots=True)
class CacheAsked:
    """A read came that the cache is configured for."""

    broker: str
    endpoint: str
    result: CacheResult
    age: float = 0.0
    """Seconds since the answer that was served came from the broker; 0 when it has just come."""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed and another one will follow."""

    broker: str
    endpoint: str
    reason: str
    attempt: int
    """The attempt that failed, from 1."""
    delay: float


@dataclass(frozen=True, slots=True)
class RetryDenied:
    """An attempt failed and no other will follow, although the call did not succeed."""

    broker: str
    endpoint: str
    reason: str
    why: Why
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One transmission to the broker ended."""

    broker: str
    endpoint: str
    number: int
    """From 1."""
    outcome: Outcome
    reason: str
    code: str
    status: int | None
    """HTTP status; None when no answer came."""
    started: float
    """Unix seconds."""
    seconds: float
    readings: tuple[LimitReading, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderLookedUp:
    """The sidecar asked the broker what became of an order whose call was in doubt."""

    broker: str
    endpoint: str
    """The call's: `place_order`, `cancel_order`."""
    number: int
    """From 1."""
    result: LookResult
    status: str = ""
    """The order's state in the broker's word, where it was found."""


@dataclass(frozen=True, slots=True)
class ClockOffsetLearnt:
    """It became known how far the broker's clock is from this machine's, or that it is elsewhere than thought."""

    broker: str
    before: float | None
    offset: float
    """Seconds that the broker's clock is ahead."""
    source: ClockSource


@dataclass(frozen=True, slots=True)
class LoginFinished:
    """The sidecar logged in at a broker with keys of its own, or could not."""

    broker: str
    result: LoginResult
    reason: str = ""
    """Why not, from `sidecar.brokers.profile.REASONS`."""
    code: str = ""
    """The broker's own code for it."""


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
    trace: "TraceContext"
    trail: tuple["Stamped", ...]
    """What happened on the way, in order."""
    audit: str
    """The endpoint's audit event type; empty when a success needs no line."""
    symbol: str = ""
    request: tuple[tuple[str, str], ...] = ()
    response: tuple[tuple[str, str], ...] = ()
    reconciled: bool = False
    """Whether its outcome was in doubt, and was found out by asking the broker."""


@dataclass(frozen=True, slots=True)
class CallReplayed:
    """A call with an idempotency key was answered without sending it."""

    broker: str
    endpoint: str
    result: str
    """One of `REPLAYS`."""


REPLAYS = ("replayed", "conflict", "in_doubt", "unavailable")
"""`replayed`: with the answer of the call that came first. `conflict`: the key belongs to another request. `in_doubt`:
the first one has no answer (yet) and may have been executed. `unavailable`: the key cannot be used, or not be kept."""


@dataclass(frozen=True, slots=True)
class OrderStateChanged:
    """An order that the sidecar carries came one step further."""

    broker: str
    order: str
    """The sidecar's own id of it."""
    client_id: str
    kind: str
    """`order` or `cancel`."""
    instrument: str
    from_state: OrderState | None
    """None when it has just been accepted."""
    to_state: OrderState
    reason: str
    """A few words for a person; not a closed set."""
    age: float
    """Seconds since its acceptance."""
    may_have_been_executed: bool = False
    """Whether it is not known if the broker executed it."""


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """An order was not accepted into the queue: nothing is kept of it and nothing will be sent."""

    broker: str
    reason: str
    """One of `ORDER_REFUSALS`."""


ORDER_REFUSALS = ("full", "disk", "conflict", "unsupported", "stopping")
"""`full`: too many wait. `disk`: it could not be written down. `conflict`: its client id belongs to another order.
`unsupported`: this broker cannot take such an order, or bots sign for it. `stopping`: the sidecar is being stopped."""


@dataclass(frozen=True, slots=True)
class OrdersRecovering:
    """A start goes on with the orders that the last run left: how many of those in doubt are still to be looked up."""

    broker: str
    left: int
    total: int


@dataclass(frozen=True, slots=True)
class OperationChanged:
    """An operation came into another state."""

    broker: str
    operation: str
    type: OperationType
    from_state: OperationState | None
    """None when it is new."""
    to_state: OperationState
    reason: str


@dataclass(frozen=True, slots=True)
class OperationStep:
    """Something was done for an operation, or happened to one of its orders."""

    broker: str
    operation: str
    type: OperationType
    step: str
    """One of `OPERATION_STEPS`."""
    leg: str
    """The order's name in the operation, such as `stop1`; empty for what concerns all of it."""
    detail: str


OPERATION_STEPS = ("plan", "drop", "cancel", "progress", "unwind", "alarm", "resume")
"""`plan`: an order is about to be handed in, with what undoes it. `drop`: one was planned and never handed in.
`cancel`: one is about to be cancelled. `progress`: one came into another state. `unwind`: undoing begins. `alarm`: a
person is needed. `resume`: a restart goes on with it."""


@dataclass(frozen=True, slots=True)
class OperationRecovery:
    """An operation that had met with trouble was taken up again, or came to its end."""

    broker: str
    operation: str
    type: OperationType
    result: str
    """One of `OPERATION_RECOVERIES`."""
    reason: str


OPERATION_RECOVERIES = ("attempted", "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class PositionUnprotected:
    """A position that was promised protection has none, or more was traded than was meant: a person must look."""

    broker: str
    operation: str
    type: OperationType
    instrument: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallRefused:
    """A request was turned away at the door: no broker, too large, or a caller that may not trade."""

    broker: str
    """The configured broker it named, or empty."""
    reason: str
    """Closed set: `unknown_broker`, `too_large`, `malformed`, `foreign_host`, `browser`, `token`, `peer`, `upgrade`."""
    listener: str
    """`unix` or `tcp`."""


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A broker's stream answered and is being relayed."""

    broker: str
    stream: str


@dataclass(frozen=True, slots=True)
class StreamMessages:
    """Messages (lines) of a stream passed through."""

    broker: str
    stream: str
    count: int
    at: float
    """Unix seconds of the newest."""


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """A relayed stream ended."""

    broker: str
    stream: str
    reason: str
    """Closed set: `broker_closed`, `bot_left`, `lost`, `shutdown`."""


@dataclass(frozen=True, slots=True)
class OperationalStateChanged:
    """What the sidecar as a whole is doing has changed."""

    from_state: OperationalState
    to_state: OperationalState
    reason: str
    """A few words for a person; not a closed set."""
    seconds: float
    """How long the state before lasted."""


@dataclass(frozen=True, slots=True)
class BrokerChecked:
    """A round of start-up checks of one broker told something new, or told the same for an hour."""

    broker: str
    from_state: Readiness
    to_state: Readiness
    reason: str
    """What stands in the way, as check and cause; empty when nothing does."""
    retry_in: float | None
    """Seconds until the next round; None when none comes by itself."""
    seconds: float
    """How long the broker has been in `to_state`."""
    doubts: tuple[str, ...] = ()
    """What does not stand in the way and is worth a look all the same."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The configuration was read anew."""

    changed: tuple[str, ...]
    """The keys whose new values are in force now."""
    kept: tuple[str, ...]
    """Keys that have changed in the file and take effect at the next start only."""
    problems: tuple[str, ...] = ()
    """Why the new configuration cannot be used; everything is as it was then."""

    @property
    def result(self) -> str:
        """One of `RELOADS`."""
        return RELOADS[1] if self.problems else RELOADS[0]


RELOADS = ("ok", "refused")
"""`ok`: what can be changed was. `refused`: the new configuration is wrong, and the old one stays."""


@dataclass(frozen=True, slots=True)
class LastRunTold:
    """The state file told something of the run before that a person should know."""

    clean: bool
    """Whether it was stopped, rather than killed."""
    left: tuple[str, ...]
    """What it could not do before it ended."""


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Something went wrong that the error registry keeps; once more, when it was there already."""

    id: str
    broker: str
    """Empty when it is the sidecar's own."""
    error_type: str
    """Closed set: `sidecar.alerting.types.ErrorType`."""
    severity: Severity
    count: int
    """How often it has happened since it began."""


@dataclass(frozen=True, slots=True)
class ErrorResolved:
    """An error is over."""

    id: str
    broker: str
    error_type: str
    severity: Severity
    count: int
    seconds: float
    """How long it lasted."""
    reason: str
    """Closed set: `over`, `quiet`, `manual`."""
    note: str = ""
    """What a person gave as the reason."""


@dataclass(frozen=True, slots=True)
class NotificationSent:
    """A channel was told of errors, or was not."""

    channel: str
    severity: Severity
    """The worst of them."""
    result: str
    """One of `NOTIFICATION_RESULTS`."""
    detail: str = ""
    """Why it failed, without what is secret."""


NOTIFICATION_RESULTS = ("sent", "throttled", "aggregated", "failed")
"""`throttled`: held back, because the channel was told of the same a short while ago. `aggregated`: an error that was
told in one message with others. `failed`: it is tried again."""


@dataclass(frozen=True, slots=True)
class Started:
    """The sidecar's sockets are open, and what the last run left is taken care of."""

    version: str
    bot: str
    seconds: float
    """From the start of the process's work to here."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The sidecar has let its last call go."""

    reason: str
    unfinished: int
    """Calls that were still in flight when time ran out."""
    left: tuple[str, ...] = ()
    """What else could not be done in time, for people."""


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
    | Reloaded
    | LastRunTold
    | ErrorRaised
    | ErrorResolved
    | NotificationSent
    | Started
    | Stopped
)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where a call's spans belong, after the W3C `traceparent` of the bot or made anew."""

    trace_id: int
    parent_id: int
    """The bot's span; 0 when the call starts the trace."""
    sampled: bool
    """The bot's own decision; False when it sent none."""
    state: str = ""
    """The `tracestate` header, passed on to the exported spans untouched."""


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
