"""How a broker tells by itself what happens to orders: the stream of an account, and what its messages name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sidecar.wire import Answer, Request

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one message of a stream says. It names orders, and is never taken for the truth about them."""

    orders: frozenset[str] = NOBODY
    """Client ids of the orders that something has happened to."""
    number: int = 0
    """Which of the account's events it is, where the broker numbers them; 0 where it does not."""
    newest: int = 0
    """The number of the newest event, also of one that this stream has not told; 0 where the broker does not say."""
    over: bool = False
    """Whether nothing more will be told, though the connection may stay open."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What keeps a stream alive: a request, unsigned, every so many seconds."""

    request: Request
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Socket:
    """A WebSocket to open. It has no telling `repr`: its target may hold a key."""

    target: str
    """Path and query, below the broker's `stream_url`."""
    renewal: Renewal | None = None


@dataclass(frozen=True, slots=True)
class OrderStream:
    """A stream that tells what happens to the orders of one account. It replays nothing that it told before."""

    request: Request
    """What opens it, unsigned: its answer is the stream itself, or names the WebSocket that is."""
    heard: Callable[[bytes], Heard]
    """What one line, or one message of a WebSocket, says. Never raises, whatever the bytes."""
    silence_seconds: float | None
    """After so long without a byte it is lost; None where silence says nothing."""
    socket: Callable[[Answer], Socket | None] | None = None
    """The WebSocket that an answer names, None where it names none; missing where the answer is the stream."""


@runtime_checkable
class TellsOfOrders(Protocol):
    """What a profile has besides when its broker streams what happens to orders."""

    def order_stream(self, account: str) -> OrderStream:
        """The stream of an account, by the broker's name of it; empty where a key has only one."""
