"""What is to be seen at this moment, and the lines that have been told; shown by a screen or as plain lines."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol

_NEWS: Final = 200


class Tone(Enum):
    """How a line is meant."""

    PLAIN = "plain"
    QUIET = "quiet"
    GOOD = "good"
    BAD = "bad"
    CHAPTER = "chapter"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Line:
    """Something told."""

    at: float
    """Seconds since the demo began."""
    who: str
    text: str
    tone: Tone = Tone.PLAIN


@dataclass(slots=True)
class BotView:
    """A bot as it is shown."""

    name: str
    way: str
    """How it reaches the sidecar."""
    text: str = "starting"
    failed: bool = False
    orders: int = 0


@dataclass(slots=True)
class Stage:
    """Everything that a show can show."""

    bots: dict[str, BotView]
    now: Callable[[], float]
    """Seconds since the demo began."""
    unix_now: Callable[[], float]
    """Unix seconds."""
    addresses: tuple[tuple[str, str], ...] = ()
    """What can be looked into, by name: metrics, traces, audit."""
    commands: tuple[str, ...] = ()
    """What can be tried in a second terminal."""
    chapter: str = "Curtain up"
    announcement: str = "Starting two simulated brokers, the sidecar and three bots."
    progress: str = ""
    brokers: list[dict[str, Any]] = field(default_factory=list)
    """The newest answer of `/v1/brokers`."""
    news: deque[Line] = field(default_factory=lambda: deque(maxlen=_NEWS))
    told: list[Line] = field(default_factory=list)
    """Chapters and verdicts: what stays when the curtain has fallen."""
    calls: int = 0
    retries: int = 0


class Show(Protocol):
    """How it is shown."""

    def line(self, line: Line) -> None:
        """A line was told."""

    def open(self) -> None:
        """Begin."""

    def refresh(self) -> None:
        """The stage has changed."""

    def close(self) -> None:
        """End; harmless when it has ended or never begun."""
