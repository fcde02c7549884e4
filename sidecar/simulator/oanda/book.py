"""What an account holds: orders, trades, money."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from sidecar.simulator.oanda.instruments import HOME, Instrument, money, units
from sidecar.simulator.oanda.journal import Journal
from sidecar.simulator.oanda.stamps import Json, Stamp


class OrderType(StrEnum):
    """The order types that the simulator takes."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    MARKET_IF_TOUCHED = "MARKET_IF_TOUCHED"
    TAKE_PROFIT = "TAKE_PROFIT"
    STOP_LOSS = "STOP_LOSS"

    @property
    def closes_a_trade(self) -> bool:
        """Whether the order belongs to one trade and can only close it."""
        return self in {OrderType.TAKE_PROFIT, OrderType.STOP_LOSS}


class State(StrEnum):
    """What has become of an order (`PENDING`, `FILLED`, `CANCELLED`) or a trade (`OPEN`, `CLOSED`)."""

    PENDING = "PENDING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Exit:
    """A take profit or a stop loss: a price, or a distance from the trade's price."""

    price: Decimal | None = None
    distance: Decimal | None = None
    time_in_force: str = "GTC"
    gtd_time: Stamp | None = None
    client_extensions: Json | None = None

    def as_json(self, instrument: Instrument) -> Json:
        """The exit as orders and transactions tell it."""
        return _told(
            price=None if self.price is None else instrument.price(self.price),
            distance=None if self.distance is None else instrument.price(self.distance),
            timeInForce=self.time_in_force,
            gtdTime=self.gtd_time,
            clientExtensions=self.client_extensions,
        )


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """What a client ordered. `units` is negative for a sale and 0 for an order that closes a trade."""

    type: OrderType
    instrument: Instrument
    units: Decimal = Decimal(0)
    price: Decimal | None = None
    price_bound: Decimal | None = None
    time_in_force: str = "GTC"
    gtd_time: Stamp | None = None
    position_fill: str = "DEFAULT"
    trade_id: int | None = None
    client_extensions: Json | None = None
    trade_client_extensions: Json | None = None
    take_profit: Exit | None = None
    stop_loss: Exit | None = None
    closeout: Json | None = None
    """Which trade or position a market order closes, as transactions tell it."""

    @property
    def client_id(self) -> str:
        """The client's own id; empty when there is none."""
        return str((self.client_extensions or {}).get("id", ""))

    def as_json(self) -> Json:
        """What orders and transactions have in common."""
        whole = not self.type.closes_a_trade
        return _told(
            instrument=self.instrument.name if whole else None,
            units=units(self.units) if whole else None,
            tradeID=None if self.trade_id is None or whole else str(self.trade_id),
            price=None if self.price is None else self.instrument.price(self.price),
            priceBound=None if self.price_bound is None else self.instrument.price(self.price_bound),
            timeInForce=self.time_in_force,
            gtdTime=self.gtd_time,
            positionFill=self.position_fill if whole else None,
            triggerCondition=None if self.type is OrderType.MARKET else "DEFAULT",
            takeProfitOnFill=None if self.take_profit is None else self.take_profit.as_json(self.instrument),
            stopLossOnFill=None if self.stop_loss is None else self.stop_loss.as_json(self.instrument),
            clientExtensions=self.client_extensions,
            tradeClientExtensions=self.trade_client_extensions,
            **(self.closeout or {}),
        )


@dataclass(slots=True)
class Order:
    """An order in the book."""

    id: int
    spec: OrderSpec
    created: Stamp
    touched_from: Decimal
    """The middle of the quote when it came: a MARKET_IF_TOUCHED order waits for its price from that side."""
    dependent: bool = False
    """Made by the broker along with a fill, not asked for in a request of its own."""
    stillborn: bool = False
    """Cancelled by the broker in the very request that created it, so that it never stood in the book."""
    state: State = State.PENDING
    filled: Decimal = Decimal(0)
    later: Json = field(default_factory=dict)
    """What happened to it since, as answers tell it."""

    def as_json(self) -> Json:
        """The order as `/orders` tells it."""
        return {
            "id": str(self.id),
            "createTime": self.created,
            "type": self.spec.type.value,
            **self.spec.as_json(),
            **({} if self.spec.type.closes_a_trade else {"partialFill": "DEFAULT_FILL"}),
            "state": self.state.value,
            **self.later,
        }


@dataclass(slots=True)
class Trade:
    """A trade; `units` is what is still open of it, negative for a short one."""

    id: int
    instrument: Instrument
    price: Decimal
    opened: Stamp
    initial_units: Decimal
    units: Decimal
    client_extensions: Json | None = None
    realized: Decimal = Decimal(0)
    closings: Json = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Whether anything of it is still open."""
        return State.OPEN if self.units else State.CLOSED


@dataclass(slots=True)
class Account:
    """One account and all that was ever in it."""

    id: str
    balance: Decimal
    journal: Journal
    created: Stamp
    alias: str = "Primary"
    margin_rate: Decimal = Decimal("0.02")
    orders: dict[int, Order] = field(default_factory=dict)
    trades: dict[int, Trade] = field(default_factory=dict)
    cancelled_on_request: list[Order] = field(default_factory=list)
    realized: defaultdict[tuple[str, bool], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Profit and loss of closed units, by instrument and whether they were long."""

    def open_trades(self, instrument: str | None = None) -> list[Trade]:
        """The open trades, oldest first."""
        return [t for t in self.trades.values() if t.units and instrument in {None, t.instrument.name}]

    def pending(self) -> list[Order]:
        """The orders that wait, oldest first."""
        return [order for order in self.orders.values() if order.state is State.PENDING]

    def linked(self, trade: Trade) -> Iterator[Order]:
        """The pending orders that close this trade."""
        return (o for o in self.pending() if o.spec.type.closes_a_trade and o.spec.trade_id == trade.id)

    def exit_of(self, trade: Trade, kind: OrderType) -> Order | None:
        """The pending take profit or stop loss of a trade."""
        return next((order for order in self.linked(trade) if order.spec.type is kind), None)

    def net(self, instrument: str) -> Decimal:
        """The units of an instrument's position, negative when short."""
        return sum((trade.units for trade in self.open_trades(instrument)), Decimal(0))

    @property
    def realized_total(self) -> Decimal:
        """Profit and loss of everything closed."""
        return sum(self.realized.values(), Decimal(0))


def opening(account_id: str, balance: Decimal, journal: Journal) -> Account:
    """A new account, with the transactions that its creation and its first funding leave."""
    batch = journal.batch()
    created = batch.add("CREATE", {"homeCurrency": HOME, "accountUserID": int(account_id.split("-")[2])})
    funding = {"amount": money(balance), "fundingReason": "CLIENT_FUNDING", "accountBalance": money(balance)}
    journal.batch().add("TRANSFER_FUNDS", funding)
    return Account(account_id, balance, journal, created["time"])


def _told(**fields: object) -> Json:
    return {key: value for key, value in fields.items() if value is not None}
