"""What the call path hands around: the call, and its fate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sidecar.brokers.profile import Intent
from sidecar.calls.admission import CALL, Entry
from sidecar.telemetry.events import TraceContext, Trail
from sidecar.wire import Answer, Request
from sidecar.words import Outcome, RefusalKind, Why

_TOLD_FROM_SECONDS: Final = 0.001
"""A shorter wait is only the time that it takes to be refused one."""


@dataclass(slots=True)
class Call:
    """What the bot asked for once."""

    id: str
    """Correlation id: in the audit log and the spans."""
    request: Request
    intent: Intent
    received_at: float
    """Unix seconds."""
    received: float
    """Monotonic seconds."""
    deadline: float
    """Monotonic seconds at which the caller stops waiting."""
    trace: TraceContext
    gone: Callable[[], bool]
    """Whether the caller has hung up."""
    probe: bool = False
    """Whether it only asks if the broker is there: any answer at all is a good one."""
    trail: Trail = field(default_factory=list)
    """What happened on the way."""
    at_broker: float = 0.0
    """Seconds spent on attempts."""
    waited: float = 0.0
    """Seconds of deliberate waits: back-off and limits."""
    resigned: bool = False
    """Whether it was signed once more because the broker's clock was not known well enough."""
    session: int = 0
    """Number of the token that the newest attempt was signed with, where the sidecar logs in."""
    logged_in_anew: bool = False
    """Whether the broker refused its token, and it was signed with another."""
    attempts: int = 0
    """Transmissions begun."""
    entry: Entry = CALL
    """How the newest attempt was let in."""
    in_doubt: bool = False
    """Whether the newest attempt may have changed something at the broker: it is still under way, or ended so."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a call."""

    outcome: Outcome
    attempts: int
    """Transmissions made; 0 means that the broker never saw the call."""
    waited: float = 0.0
    """Seconds of deliberate waits."""
    why: Why | RefusalKind | None = None
    """Why no further retry, or why the sidecar refused; None when it succeeded or the broker's business no stands."""
    source: str = "broker"
    """Who wrote the answer: `broker` or `sidecar`; or one of the broker's that was kept: by `store`, the answer to the
    very same call, or by `cache`, to the same read."""
    age: float | None = None
    """Seconds since the answer came from the broker, where it is from the cache."""
    stale: bool = False
    """Whether it is older than it should be, and serves because no newer one is to be had."""
    reconciled: bool = False
    """Whether the outcome was in doubt, and was found out by asking the broker."""
    order: str = ""
    """What became of the order that a cancel came too late for, in the broker's word."""

    def header(self) -> bytes:
        """The `Sidecar-Fate` value: `transient; attempts=3; waited=1.9; why=budget`."""
        text = f"{self.outcome}; attempts={self.attempts}"
        if self.waited >= _TOLD_FROM_SECONDS:
            text += f"; waited={self.waited:.3g}"
        if self.why is not None:
            text += f"; why={self.why}"
        if self.source != "broker":
            text += f"; from={self.source}"
        if self.age is not None:
            text += f"; age={self.age:.0f}"
        if self.stale:
            text += "; stale"
        if self.order:
            text += f"; order={self.order}"
        if self.reconciled:
            text += "; reconciled"
        return text.encode()


@dataclass(slots=True)
class Result:
    """What goes back to the bot, and the truth about it."""

    answer: Answer
    fate: Fate
