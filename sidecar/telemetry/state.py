"""What can be read of a broker at any moment, as plain values: for the scrape, the control API and people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sidecar.words import (
    BreakerMode,
    BreakerState,
    BrokerState,
    DegradationCause,
    DegradationLevel,
    OperationalState,
    OperationState,
    OperationType,
    OrderState,
    Readiness,
    StartupCheck,
)


@dataclass(frozen=True, slots=True)
class BreakerReading:
    """One breaker now."""

    group: str
    state: BreakerState
    mode: BreakerMode
    since: float
    """Unix seconds of the last change."""
    consecutive_failures: int
    failure_rate: float
    """Share of failed calls in the window, 0 to 1."""
    slow_rate: float
    retry_at: float | None
    """Unix seconds of the next probe; None unless open."""


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit now."""

    limit: str
    used: float
    """What the broker told, or what was counted since, plus what is in flight."""
    capacity: float
    read_at: float | None
    """Unix seconds of the newest header reading; None before the first, and for limits without a header."""
    exhaustion_seconds: float | None
    """Seconds until it is used up at the present rate; None when the present rate never uses it up."""
    waiting: int
    """Calls that wait for it."""


@dataclass(frozen=True, slots=True)
class GateReading:
    """The gate to the broker's address now."""

    shut: bool
    outcome: str
    """`rate_limited` or `banned` while shut, else empty."""
    until: float | None
    """Unix seconds; None while open."""


@dataclass(frozen=True, slots=True)
class ConditionReading:
    """What condition a broker is in now."""

    state: BrokerState
    can_trade: bool
    """Whether new orders are sent at all; breakers and limits may still say no."""
    since: float
    """Unix seconds of the last change."""
    consecutive_503: int
    next_probe: float
    """Unix seconds of the next look at the broker, if no call tells sooner."""
    planned: bool
    """Whether a configured maintenance window is the reason."""


@dataclass(frozen=True, slots=True)
class DegradationReading:
    """How much of a broker may be used now."""

    level: DegradationLevel
    since: float
    """Unix seconds of the last change."""
    cause: DegradationCause | None
    """What demands the level, or demanded it last; None at `none`."""
    note: str
    """A person's reason, where `cause` is `manual`; or the breaker's group."""
    until: float | None
    """Unix seconds at which what a person set ends; None when nobody set anything."""
    next_step: float | None
    """Unix seconds of the next step down, if all stays well; None when none is in sight."""


@dataclass(frozen=True, slots=True)
class CacheReading:
    """What is remembered of a broker's answers now."""

    answers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class BrokerReading:
    """One broker now."""

    name: str
    profile: str
    base_url: str
    condition: ConditionReading
    breakers: tuple[BreakerReading, ...]
    limits: tuple[LimitState, ...]
    gate: GateReading
    in_flight: int
    retry_budget: float
    """Retries that may still be made now."""
    degradation: DegradationReading
    cache: CacheReading
    streams: tuple[str, ...] = ()
    """Names of the streams that are open: relayed ones, and `fills`, by which the sidecar learns of fills."""
    held: str = ""
    """Why no new risk is sent before the start-up checks have passed; empty when they have, and where bots sign."""


@dataclass(frozen=True, slots=True)
class BrokerShape:
    """What is known of a broker's labels before the first call, so that every metric is born at 0."""

    name: str
    endpoints: tuple[tuple[str, str], ...]
    """Endpoint and group."""
    streams: tuple[str, ...]
    """Those of the endpoints whose answers never end, and the sidecar's own."""
    groups: tuple[str, ...]
    limits: tuple[str, ...]
    read: Callable[[], BrokerReading]
    """Reads the broker's state now; cheap enough for every scrape."""


@dataclass(frozen=True, slots=True)
class OperationsReading:
    """The operations of one broker and type that are under way."""

    broker: str
    type: OperationType
    counts: Mapping[OperationState, int]
    """By state; a state that is missing has none."""


@dataclass(frozen=True, slots=True)
class ErrorsReading:
    """What the error registry holds now."""

    unresolved: tuple[tuple[str, str, str, int], ...]
    """Broker (empty for the sidecar's own), type, severity, and how many last."""


@dataclass(frozen=True, slots=True)
class OrdersReading:
    """The orders of one broker that the sidecar carries, now."""

    broker: str
    counts: Mapping[OrderState, int]
    """By state, for every state that can still change."""
    oldest_seconds: float
    """How long the one that has waited longest waits; 0 when none does."""


@dataclass(frozen=True, slots=True)
class ReadinessReading:
    """What the start-up checks of one broker have found."""

    broker: str
    state: Readiness
    reason: str
    """What stands in the way; empty when nothing does."""
    since: float
    """Unix seconds of the last change."""
    next_check: float | None
    """Unix seconds of the next round; None when none comes by itself."""


@dataclass(frozen=True, slots=True)
class CheckReading:
    """What a start-up check of the sidecar itself has found."""

    check: StartupCheck
    passed: bool
    detail: str
    """What was found, for people."""


@dataclass(frozen=True, slots=True)
class OperationalReading:
    """What the sidecar as a whole is doing now."""

    state: OperationalState
    reason: str
    since: float
    """Unix seconds of the last change."""
    brokers: tuple[ReadinessReading, ...]
    checks: tuple[CheckReading, ...] = ()
    """Of the sidecar itself; one that does not pass ends the start."""
