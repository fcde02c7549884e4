"""One account's spot balances and orders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.errors import BinanceError, cancel_rejected, too_precise, unknown_order
from sidecar.simulator.binance.intake import client_id_of, side_of
from sidecar.simulator.binance.ledger import Journal
from sidecar.simulator.binance.order import ZERO
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.symbols import Symbol, symbol_of
from sidecar.simulator.control import ExecutedCancel, ExecutedOrder

MINIMUM_NOTIONAL = Decimal(5)
CONDITIONAL = frozenset({"STOP_LOSS", "TAKE_PROFIT"})
OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW"})
_WORKING = OPEN - {"PENDING_NEW"}


@dataclass(slots=True)
class Balance:
    """One asset: what is free, and what open orders lock."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class SpotTerms:
    """What a client orders."""

    symbol: Symbol
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    """0 where the type has none, like the next one."""
    trigger: Decimal
    client_id: str
    """Empty where the exchange is to find one."""
    time_in_force: str = "GTC"


@dataclass(slots=True)
class SpotOrder:
    """A spot order."""

    order_id: int
    client_id: str
    symbol: Symbol
    side: str
    type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal
    created_ms: int
    updated_ms: int
    trigger: Decimal = ZERO
    """The price that turns a conditional order into a market order; 0 for all others."""
    status: str = "NEW"
    """`PENDING_NEW` while it waits for the working order of its list, outside the book."""
    filled: Decimal = ZERO
    """The quantity that has filled."""
    spent: Decimal = ZERO
    locked: Decimal = ZERO
    """What it keeps of its asset's balance; the orders of a pair lock it once, in the name of one of them."""
    list_id: int = -1

    @property
    def asset(self) -> str:
        """What it pays with."""
        return self.symbol.quote if self.side == "BUY" else self.symbol.base

    def pledge(self, market: Decimal) -> Decimal:
        """How much of its asset it takes to be filled, at the market's price where it names none."""
        return self.quantity * (self.price or self.trigger or market) if self.side == "BUY" else self.quantity

    def crosses(self, price: Decimal) -> bool:
        """Whether it would fill at this market price."""
        if self.type == "MARKET":
            return True
        if self.type in CONDITIONAL:
            rises = (self.type == "STOP_LOSS") == (self.side == "BUY")
            return price >= self.trigger if rises else price <= self.trigger
        return price <= self.price if self.side == "BUY" else price >= self.price

    def as_json(self) -> dict[str, Any]:
        """The order as the spot endpoints tell it."""
        return {
            "symbol": self.symbol.name,
            "orderId": self.order_id,
            "orderListId": self.list_id,
            "clientOrderId": self.client_id,
            "price": f"{self.price:.8f}",
            "origQty": f"{self.quantity:.8f}",
            "executedQty": f"{self.filled:.8f}",
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": f"{self.spent:.8f}",
            "status": self.status,
            "timeInForce": self.time_in_force,
            "type": self.type,
            "side": self.side,
            "stopPrice": f"{self.trigger:.8f}",
            "icebergQty": "0.00000000",
            "time": self.created_ms,
            "updateTime": self.updated_ms,
            "transactTime": self.created_ms,
            "isWorking": True,
            "workingTime": self.created_ms,
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }

    def executed(self) -> ExecutedOrder:
        """The order in the simulator's account of what truly happened."""
        return ExecutedOrder(
            order_id=str(self.order_id),
            client_id=self.client_id,
            symbol=self.symbol.name,
            side=self.side,
            type=self.type,
            quantity=self.symbol.amount(self.quantity),
            filled=self.symbol.amount(self.filled),
            status=self.status,
        )


class SpotLedger:
    """The spot book of one account."""

    def __init__(
        self,
        balances: dict[str, Decimal],
        *,
        prices: dict[str, Decimal],
        now_ms: Callable[[], int],
        ids: Iterator[int],
        journal: Journal,
        fill_cap: Decimal | None = None,
        fee: Decimal = ZERO,
    ) -> None:
        """`fill_cap`: the most that one fill takes, so that orders fill in parts; None for no end.

        `fee`: the share of what is bought that the exchange keeps.
        """
        self.balances = {asset: Balance(amount) for asset, amount in balances.items()}
        self.orders: dict[int, SpotOrder] = {}
        self._prices = prices
        self._now_ms = now_ms
        self._ids = ids
        self._journal = journal
        self._fill_cap = fill_cap
        self._fee = fee
        self.linked: Callable[[SpotOrder], None] = lambda _: None
        """Hears of every order of a list that has filled, in part or wholly, or was cancelled."""

    def open_orders(self, symbol: str = "") -> list[SpotOrder]:
        """The orders that can still fill; of every symbol where none is given."""
        return [
            order
            for order in self.orders.values()
            if order.status in _WORKING and (not symbol or order.symbol.name == symbol)
        ]

    def find(self, symbol: str, order_id: int, client_id: str) -> SpotOrder:
        """The order of that id or, the latest one, of that client id; -2013 where there is none."""
        for order in reversed(self.orders.values()):
            wanted = order.order_id == order_id if order_id else order.client_id == client_id
            if wanted and order.symbol.name == symbol:
                return order
        raise unknown_order()

    def place(self, parameters: Parameters) -> SpotOrder:
        """Take an order into the book and fill it when it crosses the market."""
        symbol = symbol_of(parameters.text("symbol"))
        order = self._read(parameters, symbol, self._prices[symbol.name])
        self.check(order)
        self.register(order)
        self.lock(order, order.pledge(self._prices[symbol.name]))
        self.work(order)
        return order

    def check(self, order: SpotOrder) -> None:
        """Whether the rules of the market allow an order; -1013 and -2010 where they do not."""
        price = self._prices[order.symbol.name]
        if any(order.client_id == held.client_id for held in self.orders.values() if held.status in OPEN):
            raise BinanceError(-2010, "Duplicate order sent.")
        if order.quantity * (order.price or order.trigger or price) < MINIMUM_NOTIONAL:
            raise BinanceError(-1013, "Filter failure: NOTIONAL")
        if order.type == "LIMIT_MAKER" and order.status == "NEW" and order.crosses(price):
            raise BinanceError(-2010, "Order would immediately match and take.")
        if order.type in CONDITIONAL and order.status == "NEW" and order.crosses(price):
            raise BinanceError(-2010, "Stop price would trigger immediately.")

    def lock(self, order: SpotOrder, amount: Decimal) -> None:
        """Keep so much of its asset for an order; -2010 where that is not free."""
        balance = self.balances.setdefault(order.asset, Balance())
        if balance.free < amount:
            raise BinanceError(-2010, "Account has insufficient balance for requested action.")
        balance.free -= amount
        balance.locked += amount
        order.locked += amount

    def brought(self, order: SpotOrder) -> Decimal:
        """How much of what a purchase has brought can be sold, in whole steps.

        The fee is taken from what else is free, where that is enough.
        """
        whole, net = order.filled, order.filled * (1 - self._fee)
        wanted = whole if self.balances[order.symbol.base].free >= whole else net
        return wanted // order.symbol.step * order.symbol.step

    def register(self, order: SpotOrder) -> None:
        """Let an order be found."""
        self.orders[order.order_id] = order
        self._journal.orders.append(order.executed)

    def work(self, order: SpotOrder) -> None:
        """Let an order that is new in the book meet the market."""
        price = self._prices[order.symbol.name]
        if order.crosses(price) and not (order.time_in_force == "FOK" and self._fillable(order) < order.quantity):
            self._fill(order, price)
        if order.status in _WORKING and (order.type == "MARKET" or order.time_in_force in {"IOC", "FOK"}):
            self.close(order, "EXPIRED")
            self.linked(order)

    def cancel(self, symbol: str, order_id: int, client_id: str) -> SpotOrder:
        """Cancel an open order; -2011 where it is not open."""
        try:
            order = self.find(symbol, order_id, client_id)
        except BinanceError:
            raise cancel_rejected() from None
        if order.status not in OPEN:
            raise cancel_rejected()
        self.close(order, "CANCELED")
        self._journal.cancels.append(ExecutedCancel(str(order.order_id), order.client_id, symbol))
        self.linked(order)
        return order

    def market_moved(self, symbol: str) -> None:
        """Fill the resting orders that the current price has reached."""
        for order in self.open_orders(symbol):
            # Another order of its list may have ended it meanwhile.
            if order.status in _WORKING and order.crosses(self._prices[symbol]):
                self._fill(order, order.price or self._prices[symbol])

    def _read(self, parameters: Parameters, symbol: Symbol, price: Decimal) -> SpotOrder:
        kind = parameters.text("type")
        if kind not in {"LIMIT", "MARKET", "LIMIT_MAKER"} | CONDITIONAL:
            raise BinanceError(-1116, "Invalid orderType.")
        if kind == "MARKET" and "quoteOrderQty" in parameters:
            quantity = parameters.decimal("quoteOrderQty") / price // symbol.step * symbol.step
        else:
            quantity = parameters.decimal("quantity")
        limit = parameters.decimal("price") if kind.startswith("LIMIT") else ZERO
        trigger = parameters.decimal("stopPrice") if kind in CONDITIONAL else ZERO
        if quantity % symbol.step or limit % symbol.tick or trigger % symbol.tick:
            raise too_precise()
        time_in_force = parameters.choice("timeInForce", "GTC", "IOC", "FOK", default="" if kind == "LIMIT" else "GTC")
        client_id = client_id_of(parameters, "newClientOrderId")
        side = side_of(parameters)
        return self.drawn_up(SpotTerms(symbol, side, kind, quantity, limit, trigger, client_id, time_in_force))

    def drawn_up(self, terms: SpotTerms) -> SpotOrder:
        """An order with an id, in no book yet."""
        now, order_id = self._now_ms(), next(self._ids)
        return SpotOrder(
            order_id,
            terms.client_id or f"auto-{order_id}",
            terms.symbol,
            terms.side,
            terms.type,
            terms.time_in_force,
            terms.quantity,
            terms.price,
            now,
            now,
            terms.trigger,
        )

    def _fillable(self, order: SpotOrder) -> Decimal:
        left = order.quantity - order.filled
        return left if self._fill_cap is None else min(left, self._fill_cap)

    def _fill(self, order: SpotOrder, price: Decimal) -> None:
        quantity, left = self._fillable(order), order.quantity - order.filled
        self._release(order, order.locked * quantity / left)
        order.filled += quantity
        order.spent += quantity * price
        order.status, order.updated_ms = "PARTIALLY_FILLED", self._now_ms()
        base = self.balances.setdefault(order.symbol.base, Balance())
        quote = self.balances.setdefault(order.symbol.quote, Balance())
        sign = 1 if order.side == "BUY" else -1
        base.free += sign * quantity - (quantity * self._fee if sign > 0 else ZERO)
        quote.free -= sign * quantity * price
        if order.filled == order.quantity:
            self.close(order, "FILLED")
        self.linked(order)

    def close(self, order: SpotOrder, status: str) -> None:
        """End an order."""
        self._release(order, order.locked)
        order.status, order.updated_ms = status, self._now_ms()

    def _release(self, order: SpotOrder, amount: Decimal) -> None:
        if amount:
            self.balances[order.asset].locked -= amount
            self.balances[order.asset].free += amount
            order.locked -= amount
