"""Spot order lists: OCO pairs, and OTO and OTOCO lists, whose pending orders wait for a working one.

After https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints, "Order lists". The pending
orders of OPO and OPOCO lists sell what the working one has brought:
https://developers.binance.com/docs/binance-spot-api-docs/faqs/opo.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.errors import BinanceError, illegal, too_precise, unknown_order
from sidecar.simulator.binance.intake import client_id_of
from sidecar.simulator.binance.order import ZERO
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.spot import CONDITIONAL, OPEN, SpotLedger, SpotOrder, SpotTerms
from sidecar.simulator.binance.symbols import Symbol, symbol_of

_LIMITS = frozenset({"LIMIT", "LIMIT_MAKER"})
_EXIT_TYPES = ("STOP_LOSS", "TAKE_PROFIT", "LIMIT_MAKER")


@dataclass(slots=True)
class OrderList:
    """Orders that one request placed."""

    list_id: int
    client_id: str
    symbol: Symbol
    contingency: str
    """`OCO`, or `OTO` for every list with a working order."""
    created_ms: int
    working: SpotOrder | None
    pair: list[SpotOrder]
    """The orders of which one ends the other; a single one in an OTO."""
    pays: bool = False
    """Whether the pending orders are for what the working one brings."""

    @property
    def orders(self) -> list[SpotOrder]:
        """All of them, the working one first."""
        return [self.working, *self.pair] if self.working is not None else self.pair

    def as_json(self) -> dict[str, Any]:
        """The list as the list endpoints tell it."""
        over = not any(order.status in OPEN for order in self.orders)
        names = [
            {"symbol": self.symbol.name, "orderId": order.order_id, "clientOrderId": order.client_id}
            for order in self.orders
        ]
        return {
            "orderListId": self.list_id,
            "contingencyType": self.contingency,
            "listStatusType": "ALL_DONE" if over else "EXEC_STARTED",
            "listOrderStatus": "ALL_DONE" if over else "EXECUTING",
            "listClientOrderId": self.client_id,
            "transactionTime": self.created_ms,
            "symbol": self.symbol.name,
            "orders": names,
        }

    def reported(self) -> dict[str, Any]:
        """The list with its orders in full, as placements and cancels tell it."""
        return self.as_json() | {"orderReports": [order.as_json() for order in self.orders]}


class OrderLists:
    """The order lists of one account."""

    def __init__(
        self, ledger: SpotLedger, prices: dict[str, Decimal], now_ms: Callable[[], int], ids: Iterator[int]
    ) -> None:
        self._ledger = ledger
        self._prices = prices
        self._now_ms = now_ms
        self._ids = ids
        self._lists: dict[int, OrderList] = {}
        ledger.linked = self._heard

    def place_oco(self, parameters: Parameters) -> OrderList:
        """A pair that works at once."""
        symbol = symbol_of(parameters.text("symbol"))
        side, quantity = parameters.choice("side", "BUY", "SELL"), _quantity(parameters, "quantity", symbol)
        pair = self._read_pair(parameters, symbol, side, quantity, "above", "below")
        client_id = self._checked(parameters, pair)
        self._lock_pair(pair)
        placed = self._list(client_id, "OCO", None, pair)
        self._work_pair(pair)
        return placed

    def place_oto(self, parameters: Parameters, *, pair: bool, pays: bool = False) -> OrderList:
        """A working order with what begins when it has filled: a pair (OTOCO), or one order (OTO).

        `pays`: the pending orders sell what it has brought (OPOCO, OPO).
        """
        symbol = symbol_of(parameters.text("symbol"))
        working = self._read_working(parameters, symbol)
        side = parameters.choice("pendingSide", "BUY", "SELL")
        if pays and (working.side, side) != ("BUY", "SELL"):
            raise illegal("workingSide", "BUY")
        quantity = working.quantity if pays else _quantity(parameters, "pendingQuantity", symbol)
        if pair:
            pending = self._read_pair(parameters, symbol, side, quantity, "pendingAbove", "pendingBelow")
        else:
            pending = [self._read_exit(parameters, symbol, side, quantity, "pending")]
        for order in pending:
            order.status = "PENDING_NEW"
        client_id = self._checked(parameters, [working, *pending])
        self._ledger.lock(working, working.pledge(self._prices[symbol.name]))
        placed = self._list(client_id, "OTO", working, pending)
        placed.pays = pays
        self._ledger.work(working)
        return placed

    def find(self, list_id: int, client_id: str) -> OrderList:
        """The list of that id or, the latest one, of that client id; -2013 where there is none."""
        for held in reversed(self._lists.values()):
            if held.list_id == list_id if list_id else held.client_id == client_id:
                return held
        raise unknown_order()

    def cancel(self, placed: OrderList) -> None:
        """Cancel what is open of a list; -2011 where nothing is."""
        first = next((order for order in placed.orders if order.status in OPEN), None)
        if first is None:
            raise BinanceError(-2011, "Unknown order sent.")
        self._ledger.cancel(first.symbol.name, first.order_id, "")

    def _heard(self, order: SpotOrder) -> None:
        placed = self._lists.get(order.list_id)
        if placed is None:
            return
        if order is placed.working and order.status == "FILLED":
            self._trigger(placed)
        elif order is not placed.working and order.filled:
            self._end(placed, "EXPIRED", but=order)
        elif order.status not in OPEN:
            # [doc] One that is cancelled takes all of its list along.
            self._end(placed, "CANCELED" if order.status == "CANCELED" else "EXPIRED", but=order)

    def _trigger(self, placed: OrderList) -> None:
        if placed.pays and placed.working is not None:
            for order in placed.pair:
                order.quantity = self._ledger.brought(placed.working)
        try:
            self._lock_pair(placed.pair)
        except BinanceError:
            # The account does not hold what they would sell, such as when the fee was taken from it.
            for order in placed.pair:
                self._ledger.close(order, "REJECTED")
            return
        self._work_pair(placed.pair)

    def _lock_pair(self, pair: list[SpotOrder]) -> None:
        """Only one of them can trade: the dearer one keeps for both."""
        price = self._prices[pair[0].symbol.name]
        keeper = max(pair, key=lambda order: order.pledge(price))
        self._ledger.lock(keeper, keeper.pledge(price))

    def _work_pair(self, pair: list[SpotOrder]) -> None:
        for order in pair:
            order.status = "NEW"
        for order in pair:
            if order.status == "NEW":
                self._ledger.work(order)

    def _end(self, placed: OrderList, status: str, *, but: SpotOrder) -> None:
        for order in placed.orders:
            if order is not but and order.status in OPEN:
                if but.status in OPEN:
                    # What the pair has locked belongs to the one that trades on.
                    but.locked, order.locked = but.locked + order.locked, ZERO
                self._ledger.close(order, status)

    def _checked(self, parameters: Parameters, orders: list[SpotOrder]) -> str:
        client_id = client_id_of(parameters, "listClientOrderId")
        executing = (held for held in self._lists.values() if any(order.status in OPEN for order in held.orders))
        if client_id and any(held.client_id == client_id for held in executing):
            raise BinanceError(-2010, "Duplicate order sent.")
        for order in orders:
            self._ledger.check(order)
        return client_id

    def _list(self, client_id: str, contingency: str, working: SpotOrder | None, pair: list[SpotOrder]) -> OrderList:
        list_id = next(self._ids)
        name = client_id or f"auto-{list_id}"
        placed = OrderList(list_id, name, pair[0].symbol, contingency, self._now_ms(), working, pair)
        self._lists[list_id] = placed
        for order in placed.orders:
            order.list_id = list_id
            self._ledger.register(order)
        return placed

    def _read_working(self, parameters: Parameters, symbol: Symbol) -> SpotOrder:
        kind = parameters.choice("workingType", *sorted(_LIMITS))
        usual = "" if kind == "LIMIT" else "GTC"
        return self._ledger.drawn_up(
            SpotTerms(
                symbol,
                parameters.choice("workingSide", "BUY", "SELL"),
                kind,
                _quantity(parameters, "workingQuantity", symbol),
                _price(parameters, "workingPrice", symbol),
                ZERO,
                client_id_of(parameters, "workingClientOrderId"),
                parameters.choice("workingTimeInForce", "GTC", "IOC", "FOK", default=usual),
            )
        )

    def _read_pair(
        self, parameters: Parameters, symbol: Symbol, side: str, quantity: Decimal, *prefixes: str
    ) -> list[SpotOrder]:
        above, below = (self._read_exit(parameters, symbol, side, quantity, prefix) for prefix in prefixes)
        stop, other = (below, above) if side == "SELL" else (above, below)
        if stop.type != "STOP_LOSS" or other.type == "STOP_LOSS":
            raise illegal(f"{prefixes[0]}Type", "one STOP_LOSS, on the losing side")
        market = self._prices[symbol.name]
        high, low = above.price or above.trigger, below.price or below.trigger
        # The pending pair of an OTOCO meets the market only later.
        if low >= high or (prefixes[0] == "above" and not low < market < high):
            raise BinanceError(-2010, "The relationship of the prices for the orders is not correct.")
        return [above, below]

    def _read_exit(
        self, parameters: Parameters, symbol: Symbol, side: str, quantity: Decimal, prefix: str
    ) -> SpotOrder:
        kind = parameters.choice(f"{prefix}Type", *_EXIT_TYPES)
        limit = ZERO if kind in CONDITIONAL else _price(parameters, f"{prefix}Price", symbol)
        trigger = _price(parameters, f"{prefix}StopPrice", symbol) if kind in CONDITIONAL else ZERO
        client_id = client_id_of(parameters, f"{prefix}ClientOrderId")
        return self._ledger.drawn_up(SpotTerms(symbol, side, kind, quantity, limit, trigger, client_id))


def _quantity(parameters: Parameters, name: str, symbol: Symbol) -> Decimal:
    quantity = parameters.decimal(name)
    if quantity % symbol.step:
        raise too_precise()
    return quantity


def _price(parameters: Parameters, name: str, symbol: Symbol) -> Decimal:
    price = parameters.decimal(name)
    if price % symbol.tick:
        raise too_precise()
    return price
