"""Conditional orders, which live beside the book until their trigger is reached."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.errors import (
    BinanceError,
    cancel_rejected,
    duplicate_client_id,
    illegal,
    missing,
    unknown_order,
)
from sidecar.simulator.binance.intake import (
    client_id_of,
    position_side_of,
    price_of,
    quantity_of,
    reduce_only_of,
    side_of,
    time_in_force_of,
)
from sidecar.simulator.binance.ledger import Journal, Ledger
from sidecar.simulator.binance.order import ZERO, Order, OrderRequest
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.symbols import CONDITIONAL_TYPES, symbol_of
from sidecar.simulator.control import ExecutedCancel, ExecutedOrder

_ORDERED_TYPES = {"STOP": "LIMIT", "TAKE_PROFIT": "LIMIT"}


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order and, once triggered, the order that came of it."""

    algo_id: int
    client_id: str
    request: OrderRequest
    trigger: Decimal
    callback_rate: Decimal
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    triggered_ms: int = 0
    extreme: Decimal = ZERO
    order: Order | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its trigger."""
        return self.status == "NEW"

    def reached(self, price: Decimal) -> bool:
        """Whether this price pulls the trigger; a trailing stop also remembers the best price so far."""
        buys = self.request.side == "BUY"
        if self.request.orig_type == "TRAILING_STOP_MARKET":
            if self.extreme == 0:
                if self.trigger and (price > self.trigger if buys else price < self.trigger):
                    return False
                self.extreme = price
            self.extreme = min(self.extreme, price) if buys else max(self.extreme, price)
            moved = (price - self.extreme) if buys else (self.extreme - price)
            return moved >= self.extreme * self.callback_rate / 100
        if self.request.orig_type.startswith("STOP") == buys:
            return price >= self.trigger
        return price <= self.trigger

    def as_json(self) -> dict[str, Any]:
        """The order as the algo endpoints tell it."""
        request, symbol = self.request, self.request.symbol
        order = self.order
        return {
            "algoId": self.algo_id,
            "clientAlgoId": self.client_id,
            "algoType": "CONDITIONAL",
            "orderType": request.orig_type,
            "symbol": symbol.name,
            "side": request.side,
            "positionSide": request.position_side,
            "timeInForce": request.time_in_force,
            "quantity": symbol.amount(request.quantity),
            "algoStatus": self.status,
            "actualOrderId": str(order.order_id) if order else "",
            "actualPrice": symbol.money(order.average if order else ZERO),
            "triggerPrice": symbol.money(self.trigger),
            "price": symbol.money(request.price),
            "icebergQuantity": None,
            "tpTriggerPrice": "0.000",
            "tpPrice": "0.000",
            "slTriggerPrice": "0.000",
            "slPrice": "0.000",
            "tpOrderType": "",
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "workingType": "CONTRACT_PRICE",
            "priceMatch": "NONE",
            "closePosition": request.close_position,
            "priceProtect": False,
            "reduceOnly": request.reduce_only,
            "activatePrice": symbol.money(self.trigger) if self.callback_rate else "",
            "callbackRate": f"{self.callback_rate:f}" if self.callback_rate else "",
            "createTime": self.created_ms,
            "updateTime": self.updated_ms,
            "triggerTime": self.triggered_ms,
            "goodTillDate": request.good_till_ms,
        }

    def executed(self) -> ExecutedOrder:
        """The order in the simulator's account of what truly happened."""
        symbol = self.request.symbol
        return ExecutedOrder(
            order_id=str(self.algo_id),
            client_id=self.client_id,
            symbol=symbol.name,
            side=self.request.side,
            type=self.request.orig_type,
            quantity=symbol.amount(self.request.quantity),
            filled=symbol.amount(self.order.filled if self.order else ZERO),
            status=self.status,
        )


class AlgoBook:
    """The conditional orders of one account."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        prices: dict[str, Decimal],
        now_ms: Callable[[], int],
        ids: Iterator[int],
        journal: Journal,
    ) -> None:
        self.orders: dict[int, AlgoOrder] = {}
        self._ledger = ledger
        self._prices = prices
        self._now_ms = now_ms
        self._ids = ids
        self._journal = journal

    def open_orders(self, symbol: str = "") -> list[AlgoOrder]:
        """The orders that wait for their trigger; of every symbol where none is given."""
        return [
            algo for algo in self.orders.values() if algo.is_open and (not symbol or algo.request.symbol.name == symbol)
        ]

    def find(self, algo_id: int, client_id: str) -> AlgoOrder:
        """The order of that id or, the latest one, of that client id; -2013 where there is none."""
        for algo in reversed(self.orders.values()):
            if algo.algo_id == algo_id if algo_id else algo.client_id == client_id:
                return algo
        raise unknown_order()

    def place(self, parameters: Parameters) -> AlgoOrder:
        """Take a conditional order; -2021 for one that would trigger at once."""
        request, trigger, callback_rate = _read(parameters, hedged=self._ledger.hedged)
        client_id = request.client_id
        if client_id and any(algo.client_id == client_id for algo in self.open_orders()):
            raise duplicate_client_id()
        now, algo_id = self._now_ms(), next(self._ids)
        algo = AlgoOrder(algo_id, client_id or f"auto-{algo_id}", request, trigger, callback_rate, now, now)
        if algo.reached(self._prices[request.symbol.name]):
            raise BinanceError(-2021, "Order would immediately trigger.")
        self.orders[algo_id] = algo
        self._journal.orders.append(algo.executed)
        return algo

    def cancel(self, algo_id: int, client_id: str) -> AlgoOrder:
        """Cancel an order that still waits; -2011 for any other."""
        try:
            algo = self.find(algo_id, client_id)
        except BinanceError:
            raise cancel_rejected() from None
        if not algo.is_open:
            raise cancel_rejected()
        algo.status, algo.updated_ms = "CANCELED", self._now_ms()
        self._journal.cancels.append(ExecutedCancel(str(algo.algo_id), algo.client_id, algo.request.symbol.name))
        return algo

    def market_moved(self, symbol: str) -> None:
        """Trigger what the current price has reached."""
        for algo in self.open_orders(symbol):
            if algo.reached(self._prices[symbol]):
                self._trigger(algo)

    def _trigger(self, algo: AlgoOrder) -> None:
        now = self._now_ms()
        algo.triggered_ms = algo.updated_ms = now
        request = algo.request
        if request.close_position:
            amount = abs(self._ledger.position(request.symbol, request.position_side).amount)
            request = OrderRequest(
                symbol=request.symbol,
                side=request.side,
                position_side=request.position_side,
                type="MARKET",
                time_in_force="GTC",
                quantity=amount,
                price=ZERO,
                client_id="",
                reduce_only=request.position_side == "BOTH",
                close_position=True,
                orig_type=request.orig_type,
            )
        try:
            algo.order = self._ledger.place(request)
        except BinanceError:
            # As at the exchange: nobody waits for this answer, the status alone tells of it.
            algo.status = "EXPIRED" if request.reduce_only else "REJECTED"
        else:
            algo.status = "FINISHED" if not algo.order.is_open else "TRIGGERED"


def _read(parameters: Parameters, *, hedged: bool) -> tuple[OrderRequest, Decimal, Decimal]:
    parameters.choice("algoType", "CONDITIONAL")
    symbol = symbol_of(parameters.text("symbol"))
    kind = parameters.text("type")
    if kind not in CONDITIONAL_TYPES:
        raise BinanceError(-1116, "Invalid orderType.")
    close_position = parameters.flag("closePosition")
    if close_position and ("quantity" in parameters or not kind.endswith("_MARKET")):
        raise BinanceError(-4136, "Target strategy invalid for orderType " + kind + ",closePosition true")
    limit = _ORDERED_TYPES.get(kind) == "LIMIT"
    trailing = kind == "TRAILING_STOP_MARKET"
    trigger = ZERO
    if not trailing:
        trigger = price_of(parameters, symbol, "triggerPrice")
    elif "activatePrice" in parameters:
        trigger = price_of(parameters, symbol, "activatePrice")
    rate = parameters.decimal("callbackRate") if trailing else ZERO
    if trailing and not Decimal("0.1") <= rate <= Decimal(10):
        raise illegal("callbackRate", "0.1 to 10")
    if limit and "price" not in parameters:
        raise missing("price")
    request = OrderRequest(
        symbol=symbol,
        side=side_of(parameters),
        position_side=position_side_of(parameters, hedged=hedged),
        type="LIMIT" if limit else "MARKET",
        time_in_force=time_in_force_of(parameters, default="GTC"),
        quantity=ZERO if close_position else quantity_of(parameters, symbol),
        price=price_of(parameters, symbol, "price") if limit else ZERO,
        client_id=client_id_of(parameters, "clientAlgoId"),
        reduce_only=reduce_only_of(parameters, hedged=hedged),
        close_position=close_position,
        good_till_ms=parameters.integer("goodTillDate", 0),
        orig_type=kind,
    )
    return request, trigger, rate
