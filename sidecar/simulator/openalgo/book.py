"""What an account at the backing broker holds: orders, trades, positions, money."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from sidecar.simulator.openalgo.errors import RefusedError
from sidecar.simulator.openalgo.market import Market, Quote

_LEVERAGE = {"MIS": 5}
"""How many times its margin an intraday position may be; others are paid in full."""


class Kind(StrEnum):
    """`pricetype`: what an order waits for, and what it pays."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "SL"
    STOP_MARKET = "SL-M"

    @property
    def limits(self) -> bool:
        """Whether it has a worst price."""
        return self in {Kind.LIMIT, Kind.STOP_LIMIT}

    @property
    def waits(self) -> bool:
        """Whether it sleeps until its trigger."""
        return self in {Kind.STOP_LIMIT, Kind.STOP_MARKET}


class State(StrEnum):
    """`order_status`."""

    OPEN = "open"
    PENDING = "trigger pending"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Terms:
    """When an order trades, and at what price."""

    kind: Kind = Kind.MARKET
    price: Decimal = Decimal(0)
    trigger: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderSpec:
    """What a client ordered. `quantity` is negative for a sale; `action` is kept, because a smart order may have 0."""

    exchange: str
    symbol: str
    product: str
    quantity: Decimal
    action: str
    terms: Terms = Terms()

    @property
    def position(self) -> tuple[str, str, str]:
        """Which position it changes."""
        return self.exchange, self.symbol, self.product


@dataclass(slots=True)
class Order:
    """An order in the book."""

    id: str
    spec: OrderSpec
    placed_at: float
    terms: Terms
    quantity: Decimal
    """Signed."""
    state: State = State.OPEN
    average: Decimal = Decimal(0)

    @property
    def alive(self) -> bool:
        """Whether it can still fill."""
        return self.state in {State.OPEN, State.PENDING}


@dataclass(slots=True)
class Position:
    """What is held of one instrument under one product; `quantity` is negative when short."""

    quantity: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)

    def add(self, quantity: Decimal, price: Decimal) -> None:
        """Trade a signed quantity at a price."""
        if self.quantity * quantity < 0:
            closed = min(abs(quantity), abs(self.quantity))
            self.realized += closed * (price - self.average) * (1 if self.quantity > 0 else -1)
        total = self.quantity + quantity
        if self.quantity * quantity >= 0:
            self.average = (self.average * abs(self.quantity) + price * abs(quantity)) / abs(total)
        elif self.quantity * total < 0:
            self.average = price
        self.quantity = total
        if not total:
            self.average = Decimal(0)


@dataclass(slots=True)
class Account:
    """One account, the OpenAlgo key that opens it, and all that was ever in it."""

    key: str = "demo-key"
    cash: Decimal = Decimal(1_000_000)
    orders: dict[str, Order] = field(default_factory=dict)
    positions: dict[tuple[str, str, str], Position] = field(default_factory=dict)
    cancelled_on_request: list[Order] = field(default_factory=list)

    def place(self, order_id: str, spec: OrderSpec, market: Market, now: float) -> Order:
        """Take an order; one that the account cannot pay for is taken, too, and rejected in the book."""
        order = Order(order_id, spec, now, spec.terms, spec.quantity)
        self.orders[order_id] = order
        quote = market.quote(spec.exchange, spec.symbol)
        if self._margin_for(spec, quote.side(spec.quantity)) > self.available():
            order.state = State.REJECTED
        else:
            order.state = State.PENDING if spec.terms.kind.waits else State.OPEN
            self.meet(order, quote)
        return order

    def modify(self, order: Order, quantity: Decimal, terms: Terms, market: Market) -> None:
        """Change a living order; `RefusedError` for one that can no longer fill."""
        if not order.alive:
            raise RefusedError(400, f"Order cannot be modified as it is {order.state}.")
        order.quantity, order.terms = quantity, terms
        order.state = State.PENDING if terms.kind.waits else State.OPEN
        self.meet(order, market.quote(order.spec.exchange, order.spec.symbol))

    def cancel(self, order_id: str) -> None:
        """Cancel a living order; `RefusedError` for one that is not there, or can no longer fill."""
        order = self.find(order_id)
        if not order.alive:
            raise RefusedError(400, f"Order cannot be cancelled as it is {order.state}.")
        order.state = State.CANCELLED
        self.cancelled_on_request.append(order)

    def find(self, order_id: str) -> Order:
        """The order with this id; `RefusedError` when there is none."""
        if order_id not in self.orders:
            raise RefusedError(400, "Couldn't find that `order_id`.")
        return self.orders[order_id]

    def living(self) -> list[Order]:
        """The orders that can still fill, oldest first."""
        return [order for order in self.orders.values() if order.alive]

    def held(self) -> Iterator[tuple[tuple[str, str, str], Position]]:
        """The positions that are not flat."""
        return ((key, position) for key, position in self.positions.items() if position.quantity)

    def position(self, key: tuple[str, str, str]) -> Decimal:
        """The signed size of a position; 0 for none."""
        found = self.positions.get(key)
        return Decimal(0) if found is None else found.quantity

    def used(self) -> Decimal:
        """The margin that the positions bind."""
        return sum((_margin(key[2], position.quantity, position.average) for key, position in self.held()), Decimal(0))

    def realized(self) -> Decimal:
        """Profit and loss of all that was closed."""
        return sum((position.realized for position in self.positions.values()), Decimal(0))

    def available(self) -> Decimal:
        """What new orders can bind."""
        return self.cash + self.realized() - self.used()

    def meet(self, order: Order, quote: Quote) -> None:
        """Wake a living order, and fill it, as far as the quote lets it."""
        buying, terms = order.quantity > 0, order.terms
        if order.state is State.PENDING:
            if (quote.middle < terms.trigger) if buying else (quote.middle > terms.trigger):
                return
            order.state = State.OPEN
        price = quote.side(order.quantity)
        if terms.kind.limits and ((price > terms.price) if buying else (price < terms.price)):
            return
        order.state, order.average = State.COMPLETE, price
        self.positions.setdefault(order.spec.position, Position()).add(order.quantity, price)

    def _margin_for(self, spec: OrderSpec, price: Decimal) -> Decimal:
        """What an order would bind beyond what its position binds already."""
        before = self.position(spec.position)
        grown = max(Decimal(0), abs(before + spec.quantity) - abs(before))
        return _margin(spec.product, grown, spec.terms.price or price)


def _margin(product: str, quantity: Decimal, price: Decimal) -> Decimal:
    return abs(quantity) * price / _LEVERAGE.get(product, 1)
