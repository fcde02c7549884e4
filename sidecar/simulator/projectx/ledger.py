"""One account's orders: taken, filled, modified, cancelled, and what they make of its positions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sidecar.simulator.projectx.book import FEE, Account, Order, OrderType, Position, Side, Status, Trade
from sidecar.simulator.projectx.contracts import CONTRACTS, Contract
from sidecar.simulator.projectx.errors import DeclinedError
from sidecar.simulator.projectx.market import Market

MOST_TRAIL_TICKS = 1000
"""https://gateway.docs.projectx.com, "Place an Order": a larger trail distance is rejected."""
_PLACEABLE = frozenset(OrderType) - {OrderType.STOP_LIMIT}


@dataclass(frozen=True, slots=True)
class Bracket:
    """An exit that an order brings along: so many ticks from its fill, as a limit order or a stop."""

    ticks: int
    type: OrderType


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client orders; kinds and numbers are checked already, their sense is not."""

    contract: str
    type: int
    side: int
    size: int
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    tag: str | None = None
    stop_loss: Bracket | None = None
    take_profit: Bracket | None = None


class Ledger:
    """What can be done to one account. `ids` numbers orders, trades and positions of all accounts."""

    def __init__(self, account: Account, market: Market, ids: Iterator[int], now: Callable[[], float]) -> None:
        self.account = account
        self._market = market
        self._ids = ids
        self._now = now

    # What clients ask for

    def place(self, wish: Wish) -> Order:
        """Take an order and fill it where its price allows; `DeclinedError` in the words of `Order/place`."""
        contract = CONTRACTS.get(wish.contract)
        if contract is None:
            raise DeclinedError("ContractNotFound")
        self._check(wish, contract)
        order = self._made(wish, contract)
        if (wish.stop_loss or wish.take_profit) and not self.account.auto_oco:
            order.status = Status.REJECTED
            message = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
            # The gateway keeps the rejected order and tells its number.
            raise DeclinedError("OrderRejected", message, orderId=order.id)
        self._add_exits(order, wish)
        self._trigger_one(order)
        return order

    def cancel(self, number: int) -> None:
        """Cancel an order that waits; `DeclinedError` in the words of `Order/cancel`."""
        order = self._waiting(number)
        self._end(order, Status.CANCELLED)
        self.account.cancelled_on_request.append(order)

    def modify(
        self, number: int, *, size: int | None, limit: Decimal | None, stop: Decimal | None, trail: Decimal | None
    ) -> None:
        """Change an order that waits; what is None stays. `DeclinedError` in the words of `Order/modify`."""
        order = self._waiting(number)
        if size is not None and size < 1:
            raise DeclinedError("Rejected", "Invalid size.")
        for price in (limit, stop):
            if price is not None and not order.contract.aligned(price):
                raise DeclinedError("Rejected", "Invalid price. Price is not aligned to tick size.")
        if trail is not None:
            if not order.contract.aligned(trail):
                raise DeclinedError("Rejected", "Invalid trail price. Price is not aligned to tick size.")
            order.trail_ticks = self._distance(order.contract, trail)
            order.stop = None
        order.size = order.size if size is None else size
        order.limit = order.limit if limit is None else limit
        order.stop = order.stop if stop is None else stop
        order.updated = self._now()
        self._trigger_one(order)

    def close(self, contract: str, size: int | None = None) -> Order:
        """Close a position, or so much of it, at the market; `DeclinedError` in the words of both endpoints."""
        if contract not in CONTRACTS:
            raise DeclinedError("ContractNotFound")
        position = self.account.positions.get(contract)
        if position is None:
            raise DeclinedError("PositionNotFound")
        if size is not None and not 0 < size <= abs(position.size):
            raise DeclinedError("InvalidCloseSize")
        if not self._market.is_open(contract):
            raise DeclinedError("OrderRejected")
        side = Side.ASK if position.size > 0 else Side.BID
        order = self._made(Wish(contract, OrderType.MARKET, side, size or abs(position.size)), CONTRACTS[contract])
        self._trigger_one(order)
        return order

    # What the market does

    def trigger(self, contract: str) -> None:
        """Fill the orders whose price a contract has reached."""
        if self._market.is_open(contract):
            for order in list(self.account.orders.values()):
                # An earlier fill may have cancelled this one.
                if order.contract.id == contract:
                    self._trigger_one(order)

    def _trigger_one(self, order: Order) -> None:
        if order.status is Status.OPEN and self._market.is_open(order.contract.id):
            self._trail(order)
            if self._reached(order):
                self._fill(order)

    def _trail(self, order: Order) -> None:
        if order.trail_ticks is None:
            return
        last, distance = self._market.last[order.contract.id], order.trail_ticks * order.contract.tick_size
        stop = last + distance if order.side is Side.BID else last - distance
        if order.stop is None:
            order.stop = stop
        else:
            order.stop = min(order.stop, stop) if order.side is Side.BID else max(order.stop, stop)

    def _reached(self, order: Order) -> bool:
        last, buys = self._market.last[order.contract.id], order.side is Side.BID
        if order.stop is not None:
            return last >= order.stop if buys else last <= order.stop
        if order.limit is not None:
            return order.limit >= self._price(order) if buys else order.limit <= self._price(order)
        return order.type is OrderType.MARKET

    def _price(self, order: Order) -> Decimal:
        name = order.contract.id
        return self._market.ask(name) if order.side is Side.BID else self._market.bid(name)

    def _fill(self, order: Order) -> None:
        price = self._price(order)
        order.status, order.filled, order.price, order.updated = Status.FILLED, order.size, price, self._now()
        self._settle(order, price)
        if order.linked is not None:
            self._end(self.account.orders[order.linked], Status.CANCELLED)
        for number in order.brackets:
            self._awaken(self.account.orders[number], order.side, price)

    def _settle(self, order: Order, price: Decimal) -> None:
        """Close what the fill closes, and open the rest."""
        position = self.account.positions.get(order.contract.id)
        change = order.side.sign * order.size
        closing = 0
        if position is not None and position.size * change < 0:
            closing = min(abs(position.size), abs(change))
            direction = 1 if position.size > 0 else -1
            profit = order.contract.worth((price - position.average) * direction) * closing
            self.account.balance += profit
            self._record(order, closing, price, profit)
            position.size -= direction * closing
            if not position.size:
                del self.account.positions[order.contract.id]
        if closing < abs(change):
            self._open(order, (abs(change) - closing) * order.side.sign, price)
        self.account.balance -= FEE * order.size

    def _open(self, order: Order, change: int, price: Decimal) -> None:
        position = self.account.positions.get(order.contract.id)
        if position is None:
            made = Position(next(self._ids), order.contract, change, price, self._now())
            self.account.positions[order.contract.id] = made
        else:
            whole = position.size + change
            position.average = (position.average * position.size + price * change) / whole
            position.size = whole
        self._record(order, abs(change), price, None)

    def _record(self, order: Order, size: int, price: Decimal, profit: Decimal | None) -> None:
        self.account.trades.append(Trade(next(self._ids), order, size, price, profit, self._now()))

    # Making and ending orders

    def _check(self, wish: Wish, contract: Contract) -> None:
        problem = _senseless(wish, contract)
        if not problem and wish.tag is not None and self._tagged(wish.tag):
            problem = "The custom tag is in use already."
        if not problem and wish.trail is not None and self._distance(contract, wish.trail) > MOST_TRAIL_TICKS:
            problem = f"Trail Distance exceeds maximum ({MOST_TRAIL_TICKS})"
        if problem:
            raise DeclinedError("OrderRejected", problem)
        if not self.account.can_trade:
            raise DeclinedError("AccountViolation")
        if not self._market.is_open(contract.id):
            raise DeclinedError("OutsideTradingHours")
        held = self.account.positions.get(contract.id)
        after = abs((held.size if held else 0) + Side(wish.side).sign * wish.size)
        if after * contract.margin > self.account.balance:
            raise DeclinedError("InsufficientFunds")

    def _tagged(self, tag: str) -> bool:
        return any(order.tag == tag for order in self.account.orders.values())

    def _distance(self, contract: Contract, trail: Decimal) -> int:
        return int(abs(self._market.last[contract.id] - trail) / contract.tick_size)

    def _made(self, wish: Wish, contract: Contract) -> Order:
        now, kind = self._now(), OrderType(wish.type)
        trails = kind is OrderType.TRAILING_STOP
        limit = wish.limit if kind is OrderType.LIMIT else None
        if kind in {OrderType.JOIN_BID, OrderType.JOIN_ASK}:
            limit = self._market.bid(contract.id) if kind is OrderType.JOIN_BID else self._market.ask(contract.id)
        order = Order(
            id=next(self._ids),
            account=self.account.id,
            contract=contract,
            type=kind,
            side=Side(wish.side),
            size=wish.size,
            created=now,
            updated=now,
            limit=limit,
            stop=wish.stop if kind is OrderType.STOP else None,
            trail_ticks=self._distance(contract, wish.trail) if trails and wish.trail is not None else None,
            tag=wish.tag,
        )
        self.account.orders[order.id] = order
        return order

    def _add_exits(self, order: Order, wish: Wish) -> None:
        exits = []
        for bracket, sign in ((wish.stop_loss, -1), (wish.take_profit, 1)):
            if bracket is not None:
                made = self._made(Wish(wish.contract, bracket.type, order.side.other, order.size), order.contract)
                made.status, made.parent, made.exit_ticks = Status.SUSPENDED, order.id, sign * abs(bracket.ticks)
                exits.append(made)
        if len(exits) > 1:
            exits[0].linked, exits[1].linked = exits[1].id, exits[0].id
        order.brackets = tuple(made.id for made in exits)

    def _awaken(self, order: Order, entry: Side, price: Decimal) -> None:
        if order.status is not Status.SUSPENDED:
            return
        at = price + entry.sign * order.exit_ticks * order.contract.tick_size
        order.status, order.updated = Status.OPEN, self._now()
        if order.type is OrderType.LIMIT:
            order.limit = at
        elif order.type is OrderType.TRAILING_STOP:
            order.trail_ticks = abs(order.exit_ticks)
        else:
            order.stop = at

    def _waiting(self, number: int) -> Order:
        order = self.account.orders.get(number)
        if order is None:
            raise DeclinedError("OrderNotFound")
        if not order.waits:
            raise DeclinedError("Rejected", "The order is not open.")
        return order

    def _end(self, order: Order, status: Status) -> None:
        if not order.waits:
            return
        order.status, order.updated = status, self._now()
        for number in order.brackets:
            self._end(self.account.orders[number], status)


def _senseless(wish: Wish, contract: Contract) -> str:
    """Why a wish makes no order, in a sentence; empty when it does."""
    missing = {OrderType.LIMIT: wish.limit, OrderType.STOP: wish.stop, OrderType.TRAILING_STOP: wish.trail}
    prices = [price for price in (wish.limit, wish.stop) if price is not None]
    if wish.type not in _PLACEABLE:
        return "Unsupported order type."
    if wish.side not in set(Side):
        return "Invalid order side."
    if wish.size < 1:
        return "Invalid order size."
    if missing.get(OrderType(wish.type), Decimal(1)) is None:
        return "Trail Distance not set." if wish.type == OrderType.TRAILING_STOP else "Invalid price."
    if any(price <= 0 or not contract.aligned(price) for price in prices):
        return "Invalid price. Price is not aligned to tick size."
    if wish.trail is not None and not contract.aligned(wish.trail):
        return "Invalid trail price. Price is not aligned to tick size."
    if any(bracket is not None and bracket.ticks == 0 for bracket in (wish.stop_loss, wish.take_profit)):
        return "Invalid bracket."
    return ""
