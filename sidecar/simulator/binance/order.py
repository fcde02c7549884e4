"""An order in the futures book, and what it is made from."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sidecar.simulator.binance.symbols import Symbol
from sidecar.simulator.control import ExecutedOrder

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it was asked for, its parameters read and in line with the symbol's filters."""

    symbol: Symbol
    side: str
    position_side: str
    type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal
    client_id: str
    reduce_only: bool = False
    close_position: bool = False
    good_till_ms: int = 0
    orig_type: str = ""


@dataclass(slots=True)
class Order:
    """An order and what has become of it. Changed only by the ledger that holds it."""

    order_id: int
    request: OrderRequest
    client_id: str
    quantity: Decimal
    price: Decimal
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    filled: Decimal = ZERO
    spent: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}

    @property
    def remaining(self) -> Decimal:
        """The quantity not filled yet."""
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        """The mean price of its fills; 0 without any."""
        return self.spent / self.filled if self.filled else ZERO

    def crosses(self, price: Decimal) -> bool:
        """Whether it would fill at this market price."""
        if self.request.type == "MARKET":
            return True
        return price <= self.price if self.request.side == "BUY" else price >= self.price

    def as_json(self) -> dict[str, Any]:
        """The order as the futures endpoints tell it."""
        request, symbol = self.request, self.request.symbol
        return {
            "orderId": self.order_id,
            "symbol": symbol.name,
            "status": self.status,
            "clientOrderId": self.client_id,
            "price": symbol.money(self.price),
            "avgPrice": symbol.money(self.average),
            "origQty": symbol.amount(self.quantity),
            "executedQty": symbol.amount(self.filled),
            "cumQty": symbol.amount(self.filled),
            "cumQuote": f"{self.spent.normalize():f}",
            "timeInForce": request.time_in_force,
            "type": request.type,
            "reduceOnly": request.reduce_only,
            "closePosition": request.close_position,
            "side": request.side,
            "positionSide": request.position_side,
            "stopPrice": "0",
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "origType": request.orig_type or request.type,
            "priceMatch": "NONE",
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "goodTillDate": request.good_till_ms,
            "time": self.created_ms,
            "updateTime": self.updated_ms,
        }

    def acknowledged(self) -> dict[str, Any]:
        """What a placement answers by default (`ACK`): as if nothing had filled yet."""
        nothing = self.request.symbol.amount(ZERO)
        return self.as_json() | {
            "status": "NEW",
            "avgPrice": "0.00",
            "executedQty": nothing,
            "cumQty": nothing,
            "cumQuote": "0",
        }

    def executed(self) -> ExecutedOrder:
        """The order in the simulator's account of what truly happened."""
        return ExecutedOrder(
            order_id=str(self.order_id),
            client_id=self.client_id,
            symbol=self.request.symbol.name,
            side=self.request.side,
            type=self.request.type,
            quantity=self.request.symbol.amount(self.quantity),
            filled=self.request.symbol.amount(self.filled),
            status=self.status,
        )


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill."""

    trade_id: int
    order_id: int
    symbol: Symbol
    side: str
    position_side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    realized: Decimal
    maker: bool
    time_ms: int

    def as_json(self) -> dict[str, Any]:
        """The fill as `userTrades` tells it."""
        return {
            "buyer": self.side == "BUY",
            "commission": f"{self.commission:.8f}",
            "commissionAsset": self.symbol.quote,
            "id": self.trade_id,
            "maker": self.maker,
            "orderId": self.order_id,
            "price": self.symbol.money(self.price),
            "qty": self.symbol.amount(self.quantity),
            "quoteQty": f"{self.quantity * self.price:.8f}",
            "realizedPnl": f"{self.realized:.8f}",
            "side": self.side,
            "positionSide": self.position_side,
            "symbol": self.symbol.name,
            "time": self.time_ms,
        }
