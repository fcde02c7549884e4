"""What changed in what may be done: at a broker, and in the sidecar as a whole."""

from dataclasses import dataclass

from sidecar.words import (
    BreakerState,
    BrokerState,
    ClockSource,
    DegradationCause,
    DegradationLevel,
    LoginResult,
    OperationalState,
    Readiness,
    StartupCheck,
)


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
class OperationalStateChanged:
    """What the sidecar as a whole is doing has changed."""

    from_state: OperationalState
    to_state: OperationalState
    reason: str
    """A few words for a person; not a closed set."""
    seconds: float
    """How long the state before lasted."""


@dataclass(frozen=True, slots=True)
class SelfChecked:
    """A start-up check of the sidecar itself has ended; one that does not pass ends the start."""

    check: StartupCheck
    passed: bool
    detail: str


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
