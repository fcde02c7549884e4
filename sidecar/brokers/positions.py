"""What an account holds, and how it is let go: for the profiles whose broker can be asked for it.

Not every broker can: spot has balances, and which of them are a trade is known to nobody; behind OpenAlgo an order has
no id by which it could be found again.
"""

from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from sidecar.wire import Answer, Request
from sidecar.words import Side


@dataclass(frozen=True, slots=True)
class Position:
    """An open position, as the broker tells it."""

    instrument: str
    """By the broker's own name: `BTCUSDT`, `EUR_USD`."""
    side: Side
    """`buy` for a long one."""
    quantity: Decimal
    """Above 0, in the broker's unit."""
    account: str = ""
    """The broker's name of the account; empty where a key has only one."""
    leg: str = ""
    """The broker's own word where it keeps two positions in an instrument apart (`LONG`, `SHORT`); else empty."""

    def __str__(self) -> str:
        """For people: `long 0.5 BTCUSDT`."""
        where = f" in {self.account}" if self.account else ""
        return f"{'long' if self.side is Side.BUY else 'short'} {self.quantity:f} {self.instrument}{where}"


Positions = Generator[Request, Answer, tuple[Position, ...] | None]
"""Asks for everything that is held: request after request, each of which is sent its answer.

It returns None when an answer does not tell: that is not the same as nothing.
"""


@runtime_checkable
class TellsPositions(Protocol):
    """What a profile has besides when its broker can be asked for what is held."""

    def positions(self) -> Positions:
        """The questions, unsigned."""

    def closing(self, position: Position, client_id: str) -> Request:
        """The unsigned request that closes all of a position at the market, and can open nothing.

        It carries the client id where the broker's way of closing takes one. Raises Inexpressible.
        """
