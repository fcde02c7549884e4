"""One account's futures: its wallet, positions, orders and fills. This is the truth that faults cannot touch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from sidecar.simulator.binance.errors import (
    BinanceError,
    cancel_rejected,
    duplicate_client_id,
    margin_insufficient,
    reduce_only_rejected,
    unknown_order,
)
from sidecar.simulator.binance.intake import check_notional
from sidecar.simulator.binance.order import ZERO, Order, OrderRequest, Trade
from sidecar.simulator.binance.symbols import SYMBOLS, Symbol
from sidecar.simulator.control import ExecutedCancel, ExecutedOrder

MAKER_FEE = Decimal("0.0002")
TAKER_FEE = Decimal("0.0005")
DEFAULT_LEVERAGE = 20


@dataclass(slots=True)
class Position:
    """A position: `amount` is negative for a short, `entry` the mean price at which it was opened."""

    symbol: Symbol
    side: str
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    updated_ms: int = 0

    def unrealized(self, price: Decimal) -> Decimal:
        """Profit, negative for a loss, at this price."""
        return (price - self.entry) * self.amount

    def apply(self, signed: Decimal, price: Decimal) -> Decimal:
        """Take a fill in (`signed` is negative for a sale) and return the profit that it realized."""
        before = self.amount
        after = before + signed
        if before * signed >= 0:
            self.entry = (self.entry * abs(before) + price * abs(signed)) / abs(after)
            realized = ZERO
        else:
            closed = min(abs(before), abs(signed))
            realized = (price - self.entry) * closed * (1 if before > 0 else -1)
            if abs(signed) > abs(before):
                self.entry = price
        self.amount = after
        if after == 0:
            self.entry = ZERO
        return realized


@dataclass(slots=True)
class Journal:
    """What truly happened at the exchange, over all accounts, in the order in which it happened."""

    orders: list[Callable[[], ExecutedOrder]] = field(default_factory=list)
    cancels: list[ExecutedCancel] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Income:
    """An entry of the account's income history."""

    kind: str
    amount: Decimal
    symbol: str
    time_ms: int
    transaction_id: int


class Ledger:
    """The futures book of one account."""

    def __init__(
        self,
        balance: Decimal,
        *,
        prices: dict[str, Decimal],
        now_ms: Callable[[], int],
        ids: Iterator[int],
        journal: Journal,
        fill_cap: Decimal | None = None,
    ) -> None:
        self.wallet = balance
        self.hedged = False
        self.multi_assets = False
        self.leverage: dict[str, int] = dict.fromkeys(SYMBOLS, DEFAULT_LEVERAGE)
        self.isolated: set[str] = set()
        self.orders: dict[int, Order] = {}
        self._open: dict[int, Order] = {}
        self._latest: dict[tuple[str, str], Order] = {}
        self.trades: list[Trade] = []
        self.income: list[Income] = []
        self.positions: dict[tuple[str, str], Position] = {}
        self._prices = prices
        self._now_ms = now_ms
        self._ids = ids
        self._trade_ids = count(1)
        self._journal = journal
        self._fill_cap = fill_cap

    @property
    def unrealized(self) -> Decimal:
        """The profit of all open positions at the current prices."""
        return sum((held.unrealized(self._prices[held.symbol.name]) for held in self.positions.values()), ZERO)

    @property
    def position_margin(self) -> Decimal:
        """What the open positions bind."""
        return sum((self.margin_of(held) for held in self.positions.values()), ZERO)

    @property
    def order_margin(self) -> Decimal:
        """What the open orders bind, those that reduce aside."""
        return sum((self.margin_of_orders(name) for name in SYMBOLS), ZERO)

    @property
    def available(self) -> Decimal:
        """What is left to open positions with."""
        return max(ZERO, self.wallet + self.unrealized - self.position_margin - self.order_margin)

    def margin_of(self, held: Position) -> Decimal:
        """What one position binds."""
        return abs(held.amount) * self._prices[held.symbol.name] / self.leverage[held.symbol.name]

    def margin_of_orders(self, symbol: str) -> Decimal:
        """What the open orders of one symbol bind."""
        bound = (
            order.remaining * order.price
            for order in self.open_orders(symbol)
            if not order.request.reduce_only and not self._closes(order.request)
        )
        return sum(bound, ZERO) / self.leverage[symbol]

    def position(self, symbol: Symbol, side: str) -> Position:
        """The position of that side, made when it does not exist yet."""
        return self.positions.setdefault((symbol.name, side), Position(symbol, side))

    def open_orders(self, symbol: str = "") -> list[Order]:
        """The orders that can still fill, oldest first; of every symbol where none is given."""
        return [order for order in self._open.values() if not symbol or order.request.symbol.name == symbol]

    def find(self, symbol: str, order_id: int, client_id: str) -> Order:
        """The order of that id or, the latest one, of that client id; -2013 where there is none.

        Orders that were cancelled or expired without a fill vanish after three days, as at the exchange.
        """
        order = self.orders.get(order_id) if order_id else self._latest.get((symbol, client_id))
        if order is None or order.request.symbol.name != symbol or self._vanished(order):
            raise unknown_order()
        return order

    def place(self, request: OrderRequest) -> Order:
        """Take an order into the book and fill what crosses the market."""
        price = self._prices[request.symbol.name]
        if request.client_id and any(order.client_id == request.client_id for order in self._open.values()):
            raise duplicate_client_id()
        quantity = self._reducible(request) if request.reduce_only else request.quantity
        check_notional(request, price)
        self._check_margin(request, quantity, request.price or price)
        now, order_id = self._now_ms(), next(self._ids)
        order = Order(order_id, request, request.client_id or f"auto-{order_id}", quantity, request.price, now, now)
        crosses = order.crosses(price)
        if request.time_in_force == "GTX" and crosses:
            raise BinanceError(
                -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
            )
        if request.time_in_force == "FOK" and not (crosses and self._fillable(order) == quantity):
            raise BinanceError(
                -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
            )
        self.orders[order_id] = self._open[order_id] = order
        self._latest[request.symbol.name, order.client_id] = order
        self._journal.orders.append(order.executed)
        if crosses:
            self._fill(order, price, maker=False)
        if order.is_open and (request.type == "MARKET" or request.time_in_force == "IOC"):
            self._close(order, "EXPIRED")
        return order

    def modify(self, order: Order, quantity: Decimal, price: Decimal) -> Order:
        """Change quantity and price of an open limit order."""
        if not order.is_open:
            raise unknown_order()
        if (order.quantity, order.price) == (quantity, price):
            raise BinanceError(-5027, "No need to modify the order.")
        order.quantity, order.price, order.updated_ms = quantity, price, self._now_ms()
        if order.remaining <= 0:
            order.quantity = order.filled
            self._close(order, "CANCELED")
        elif order.crosses(self._prices[order.request.symbol.name]):
            self._fill(order, self._prices[order.request.symbol.name], maker=False)
        return order

    def cancel(self, symbol: str, order_id: int, client_id: str) -> Order:
        """Cancel an open order; -2011 where it is not open (it may have filled)."""
        try:
            order = self.find(symbol, order_id, client_id)
        except BinanceError:
            raise cancel_rejected() from None
        if not order.is_open:
            raise cancel_rejected()
        self._cancel(order)
        return order

    def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        for order in self.open_orders(symbol):
            self._cancel(order)

    def market_moved(self, symbol: str) -> None:
        """Fill the resting orders that the current price has reached."""
        for order in self.open_orders(symbol):
            if order.crosses(self._prices[symbol]):
                self._fill(order, order.price, maker=True)

    def time_passed(self) -> None:
        """Let the orders expire whose time is over."""
        now = self._now_ms()
        for order in self.open_orders():
            if order.request.time_in_force == "GTD" and 0 < order.request.good_till_ms <= now:
                self._close(order, "EXPIRED")

    def record_income(self, kind: str, amount: Decimal, symbol: str) -> None:
        """Add an entry to the income history and to the wallet."""
        self.wallet += amount
        self.income.append(Income(kind, amount, symbol, self._now_ms(), len(self.income) + 1))

    def _cancel(self, order: Order) -> None:
        self._close(order, "CANCELED")
        self._journal.cancels.append(ExecutedCancel(str(order.order_id), order.client_id, order.request.symbol.name))

    def _close(self, order: Order, status: str) -> None:
        order.status, order.updated_ms = status, self._now_ms()
        self._open.pop(order.order_id, None)

    def _fill(self, order: Order, price: Decimal, *, maker: bool) -> None:
        request, now = order.request, self._now_ms()
        quantity = self._fillable(order)
        if quantity <= 0:
            self._close(order, "EXPIRED")
            return
        signed = quantity if request.side == "BUY" else -quantity
        held = self.position(request.symbol, request.position_side)
        realized = held.apply(signed, price)
        held.updated_ms = now
        commission = quantity * price * (MAKER_FEE if maker else TAKER_FEE)
        if realized:
            self.record_income("REALIZED_PNL", realized, request.symbol.name)
        self.record_income("COMMISSION", -commission, request.symbol.name)
        order.filled += quantity
        order.spent += quantity * price
        order.status, order.updated_ms = "PARTIALLY_FILLED", now
        if order.remaining == 0:
            self._close(order, "FILLED")
        self.trades.append(
            Trade(
                trade_id=next(self._trade_ids),
                order_id=order.order_id,
                symbol=request.symbol,
                side=request.side,
                position_side=request.position_side,
                quantity=quantity,
                price=price,
                commission=commission,
                realized=realized,
                maker=maker,
                time_ms=now,
            )
        )

    def _fillable(self, order: Order) -> Decimal:
        quantity = order.remaining
        if order.request.reduce_only:
            quantity = min(quantity, self._opposite(order.request))
        return quantity if self._fill_cap is None else min(quantity, self._fill_cap)

    def _opposite(self, request: OrderRequest) -> Decimal:
        """How much an order of this side could close."""
        amount = self.position(request.symbol, request.position_side).amount
        return max(ZERO, -amount if request.side == "BUY" else amount)

    def _reducible(self, request: OrderRequest) -> Decimal:
        opposite = self._opposite(request)
        if opposite == 0:
            raise reduce_only_rejected()
        return min(opposite, request.quantity)

    def _closes(self, request: OrderRequest) -> bool:
        return (request.position_side, request.side) in {("LONG", "SELL"), ("SHORT", "BUY")}

    def _check_margin(self, request: OrderRequest, quantity: Decimal, price: Decimal) -> None:
        opposite = self._opposite(request)
        if self._closes(request):
            if quantity > opposite:
                raise reduce_only_rejected()
            return
        # What turns a position round first frees the margin of the side that it closes.
        opened = max(ZERO, quantity - 2 * opposite)
        needed = opened * price * (1 / Decimal(self.leverage[request.symbol.name]) + TAKER_FEE)
        if needed > self.available:
            raise margin_insufficient()

    def _vanished(self, order: Order) -> bool:
        three_days_ms = 3 * 24 * 3600 * 1000
        over = order.status in {"CANCELED", "EXPIRED"} and order.filled == 0
        return over and self._now_ms() - order.updated_ms > three_days_ms
