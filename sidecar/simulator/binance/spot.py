"""One account's spot balances and orders: as much of spot trading as its clients touch at start."""

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
_CONDITIONAL = frozenset({"STOP_LOSS", "TAKE_PROFIT"})


@dataclass(slots=True)
class Balance:
    """One asset: what is free, and what open orders lock."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class SpotOrder:
    """A spot order; it fills whole or not at all."""

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
    spent: Decimal = ZERO

    @property
    def filled(self) -> Decimal:
        """The quantity that has filled."""
        return self.quantity if self.status == "FILLED" else ZERO

    def crosses(self, price: Decimal) -> bool:
        """Whether it would fill at this market price."""
        if self.type == "MARKET":
            return True
        if self.type in _CONDITIONAL:
            rises = (self.type == "STOP_LOSS") == (self.side == "BUY")
            return price >= self.trigger if rises else price <= self.trigger
        return price <= self.price if self.side == "BUY" else price >= self.price

    def as_json(self) -> dict[str, Any]:
        """The order as the spot endpoints tell it."""
        return {
            "symbol": self.symbol.name,
            "orderId": self.order_id,
            "orderListId": -1,
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
    ) -> None:
        self.balances = {asset: Balance(amount) for asset, amount in balances.items()}
        self.orders: dict[int, SpotOrder] = {}
        self._prices = prices
        self._now_ms = now_ms
        self._ids = ids
        self._journal = journal

    def open_orders(self, symbol: str = "") -> list[SpotOrder]:
        """The orders that can still fill; of every symbol where none is given."""
        return [
            order
            for order in self.orders.values()
            if order.status == "NEW" and (not symbol or order.symbol.name == symbol)
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
        price = self._prices[symbol.name]
        order = self._read(parameters, symbol, price)
        if any(order.client_id == held.client_id for held in self.open_orders()):
            raise BinanceError(-2010, "Duplicate order sent.")
        if order.quantity * (order.price or order.trigger or price) < MINIMUM_NOTIONAL:
            raise BinanceError(-1013, "Filter failure: NOTIONAL")
        if order.type == "LIMIT_MAKER" and order.crosses(price):
            raise BinanceError(-2010, "Order would immediately match and take.")
        if order.type in _CONDITIONAL and order.crosses(price):
            raise BinanceError(-2010, "Stop price would trigger immediately.")
        asset, amount = self._pledge(order, order.price or order.trigger or price)
        if self.balances.setdefault(asset, Balance()).free < amount:
            raise BinanceError(-2010, "Account has insufficient balance for requested action.")
        self.balances[asset].free -= amount
        self.balances[asset].locked += amount
        self.orders[order.order_id] = order
        self._journal.orders.append(order.executed)
        if order.crosses(price):
            self._fill(order, price)
        elif order.time_in_force in {"IOC", "FOK"}:
            self._close(order, "EXPIRED")
        return order

    def cancel(self, symbol: str, order_id: int, client_id: str) -> SpotOrder:
        """Cancel an open order; -2011 where it is not open."""
        try:
            order = self.find(symbol, order_id, client_id)
        except BinanceError:
            raise cancel_rejected() from None
        if order.status != "NEW":
            raise cancel_rejected()
        self._close(order, "CANCELED")
        self._journal.cancels.append(ExecutedCancel(str(order.order_id), order.client_id, symbol))
        return order

    def market_moved(self, symbol: str) -> None:
        """Fill the resting orders that the current price has reached."""
        for order in self.open_orders(symbol):
            if order.crosses(self._prices[symbol]):
                self._fill(order, order.price or self._prices[symbol])

    def _read(self, parameters: Parameters, symbol: Symbol, price: Decimal) -> SpotOrder:
        kind = parameters.text("type")
        if kind not in {"LIMIT", "MARKET", "LIMIT_MAKER"} | _CONDITIONAL:
            raise BinanceError(-1116, "Invalid orderType.")
        if kind == "MARKET" and "quoteOrderQty" in parameters:
            quantity = parameters.decimal("quoteOrderQty") / price // symbol.step * symbol.step
        else:
            quantity = parameters.decimal("quantity")
        limit = parameters.decimal("price") if kind.startswith("LIMIT") else ZERO
        trigger = parameters.decimal("stopPrice") if kind in _CONDITIONAL else ZERO
        if quantity % symbol.step or limit % symbol.tick or trigger % symbol.tick:
            raise too_precise()
        time_in_force = parameters.choice("timeInForce", "GTC", "IOC", "FOK", default="" if kind == "LIMIT" else "GTC")
        now, order_id = self._now_ms(), next(self._ids)
        client_id = client_id_of(parameters, "newClientOrderId") or f"auto-{order_id}"
        side = side_of(parameters)
        return SpotOrder(order_id, client_id, symbol, side, kind, time_in_force, quantity, limit, now, now, trigger)

    def _pledge(self, order: SpotOrder, price: Decimal) -> tuple[str, Decimal]:
        if order.side == "BUY":
            return order.symbol.quote, order.quantity * price
        return order.symbol.base, order.quantity

    def _fill(self, order: SpotOrder, price: Decimal) -> None:
        self._close(order, "FILLED")
        order.spent = order.quantity * price
        base = self.balances.setdefault(order.symbol.base, Balance())
        quote = self.balances.setdefault(order.symbol.quote, Balance())
        sign = 1 if order.side == "BUY" else -1
        base.free += sign * order.quantity
        quote.free -= sign * order.spent

    def _close(self, order: SpotOrder, status: str) -> None:
        asset, amount = self._pledge(order, order.price or order.trigger or self._prices[order.symbol.name])
        self.balances[asset].locked -= amount
        self.balances[asset].free += amount
        order.status, order.updated_ms = status, self._now_ms()
