"""What happened to a call on its way to the broker and back."""

from dataclasses import dataclass

from sidecar.telemetry.events.limits import LimitReading
from sidecar.words import CacheResult, LookResult, Outcome, Why


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
class CallRefused:
    """A request was turned away at the door: no broker, too large, or a caller that may not trade."""

    broker: str
    """The configured broker it named, or empty."""
    reason: str
    """Closed set: `unknown_broker`, `too_large`, `malformed`, `foreign_host`, `browser`, `token`, `peer`, `upgrade`."""
    listener: str
    """`unix` or `tcp`."""


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
    links: tuple[tuple[int, int], ...] = ()
    """What has to do with the call though it is in another trace: trace and span ids."""
