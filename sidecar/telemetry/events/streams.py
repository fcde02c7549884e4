"""What happened to a broker's streams."""

from dataclasses import dataclass


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
