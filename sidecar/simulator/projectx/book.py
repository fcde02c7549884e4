"""What an account holds: orders, positions, trades, money."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

from sidecar.simulator.projectx.contracts import Contract


class OrderType(IntEnum):
    """The gateway's OrderType."""

    LIMIT = 1
    MARKET = 2
    STOP_LIMIT = 3
    STOP = 4
    TRAILING_STOP = 5
    JOIN_BID = 6
    JOIN_ASK = 7


class Side(IntEnum):
    """The gateway's OrderSide: Bid buys, Ask sells."""

    BID = 0
    ASK = 1

    @property
    def sign(self) -> int:
        """What a contract of it adds to a position."""
        return 1 if self is Side.BID else -1

    @property
    def other(self) -> "Side":
        """The side that closes."""
        return Side.ASK if self is Side.BID else Side.BID


class Status(IntEnum):
    """The gateway's OrderStatus; the simulator knows no order that is still pending."""

    OPEN = 1
    FILLED = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5
    SUSPENDED = 8


@dataclass(slots=True)
class Order:
    """An order; `created` and `updated` are Unix seconds of the broker's clock."""

    id: int
    account: int
    contract: Contract
    type: OrderType
    side: Side
    size: int
    created: float
    updated: float
    status: Status = Status.OPEN
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail_ticks: int | None = None
    tag: str | None = None
    parent: int | None = None
    linked: int | None = None
    """The other exit of the same bracket."""
    exit_ticks: int = 0
    """For a suspended exit: how far from the entry's price it will be."""
    filled: int = 0
    price: Decimal | None = None
    brackets: tuple[int, ...] = ()
    """Its suspended exits."""

    @property
    def waits(self) -> bool:
        """Whether it can still be filled or cancelled."""
        return self.status in {Status.OPEN, Status.SUSPENDED}

    def as_json(self) -> dict[str, Any]:
        """The order as searches tell it. A trailing stop's `trailPrice` reads back as its distance."""
        distance = None if self.trail_ticks is None else self.trail_ticks * self.contract.tick_size
        return {
            "id": self.id,
            "accountId": self.account,
            "contractId": self.contract.id,
            "symbolId": self.contract.symbol_id,
            "creationTimestamp": stamp(self.created),
            "updateTimestamp": stamp(self.updated),
            "status": int(self.status),
            "type": int(self.type),
            "side": int(self.side),
            "size": self.size,
            "limitPrice": number(self.limit),
            "stopPrice": number(self.stop),
            "trailDistance": self.trail_ticks,
            "trailPrice": number(distance),
            "fillVolume": self.filled,
            "filledPrice": number(self.price),
            "customTag": self.tag,
            "parentOrderId": self.parent,
            "linkedOrderId": self.linked,
        }


@dataclass(slots=True)
class Position:
    """An open position; `size` is negative for a short one."""

    id: int
    contract: Contract
    size: int
    average: Decimal
    created: float


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill; `profit` is None for one that opened."""

    id: int
    order: Order
    size: int
    price: Decimal
    profit: Decimal | None
    created: float

    def as_json(self) -> dict[str, Any]:
        """The half-turn trade as searches tell it."""
        return {
            "id": self.id,
            "accountId": self.order.account,
            "contractId": self.order.contract.id,
            "creationTimestamp": stamp(self.created),
            "price": number(self.price),
            "profitAndLoss": number(self.profit),
            "fees": number(FEE * self.size),
            "side": int(self.order.side),
            "size": self.size,
            "voided": False,
            "orderId": self.order.id,
        }


FEE = Decimal("1.40")
"""USD a contract and fill."""


@dataclass(slots=True)
class Account:
    """One account and all that was ever in it."""

    id: int
    name: str
    balance: Decimal
    auto_oco: bool
    can_trade: bool = True
    orders: dict[int, Order] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    """The open ones, by contract."""
    trades: list[Trade] = field(default_factory=list)
    cancelled_on_request: list[Order] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The account as searches tell it."""
        return {
            "id": self.id,
            "name": self.name,
            "balance": number(self.balance),
            "canTrade": self.can_trade,
            "isVisible": True,
            "simulated": True,
        }

    def position_as_json(self, position: Position) -> dict[str, Any]:
        """A position as searches tell it: its direction is its type (1 long, 2 short), never a sign."""
        return {
            "id": position.id,
            "accountId": self.id,
            "contractId": position.contract.id,
            "contractDisplayName": position.contract.name,
            "creationTimestamp": stamp(position.created),
            "type": 1 if position.size > 0 else 2,
            "size": abs(position.size),
            "averagePrice": number(position.average),
        }


def stamp(seconds: float) -> str:
    """A time as the gateway writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def number(value: Decimal | None) -> float | None:
    """A figure as JSON holds it."""
    return None if value is None else float(value)
