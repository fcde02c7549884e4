"""What happened to a broker's streams: those that are relayed to bots, and the sidecar's own."""

from dataclasses import dataclass
from typing import Final

FILLS: Final = "fills"
"""The sidecar's own stream, which tells it what happens to the orders that it carries."""


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A broker's stream answered, and is relayed or followed from now on."""

    broker: str
    stream: str


@dataclass(frozen=True, slots=True)
class StreamMessages:
    """Messages (lines) of a stream came."""

    broker: str
    stream: str
    count: int
    at: float
    """Unix seconds of the newest."""


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """A stream ended; or one of the sidecar's own did not come about."""

    broker: str
    stream: str
    reason: str
    """One of `STREAM_ENDS`."""
    was_open: bool = True
    """Whether it had been opened before."""


STREAM_ENDS: Final = ("broker_closed", "bot_left", "lost", "shutdown", "unneeded", "unopened")
"""`lost`: it broke, or fell silent. Of the sidecar's own alone: `unneeded`, nothing is left that it could tell of;
`unopened`, it was to be opened, and could not be."""
