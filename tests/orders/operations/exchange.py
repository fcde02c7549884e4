"""A small futures exchange in virtual time: positions, reduce-only, conditional orders, and faults by a list."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.wire import Answer, Request
from tests.calls.scripted import DEFINITE, Bench, answer
from tests.orders.carrying import UNKNOWN_WORDS

PLACING = (
    "done",
    "definite",
    "unreachable",
    "ambiguous",
    "ambiguous and done",
    "lost",
    "lost and done",
    "margin",
    "part",
)
CANCELLING = ("done", "definite", "lost", "lost and done", "unreachable")
OPEN = {"NEW", "PARTIALLY_FILLED"}


@dataclass
class Booked:
    """One order as the exchange has it."""

    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    reduce_only: bool
    time: int
    visible: float
    trigger: Decimal | None = None
    limit: Decimal | None = None
    executed: Decimal = field(default_factory=Decimal)
    status: str = "NEW"

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def conditional(self) -> bool:
        return self.trigger is not None

    def told(self) -> dict[str, Any]:
        common: dict[str, Any] = {"symbol": self.symbol, "side": self.side, "time": self.time}
        if self.conditional:
            status = "FINISHED" if self.status == "FILLED" else self.status
            price = {"actualPrice": str(self.trigger)} if self.status == "FILLED" else {}
            return common | {
                "algoId": 5,
                "clientAlgoId": self.client_id,
                "algoStatus": status,
                "createTime": self.time,
                **price,
            }
        return common | {
            "orderId": 7,
            "clientOrderId": self.client_id,
            "status": self.status,
            "origQty": str(self.quantity),
            "executedQty": str(self.executed),
        }


class Exchange:
    """Stands where the transport stands. After the list of fates, everything is done as it was asked for."""

    def __init__(self, bench: Bench, placing: Iterable[str] = (), cancelling: Iterable[str] = ()) -> None:
        self.bench = bench
        self.placing, self.cancelling = list(placing), list(cancelling)
        self.takes = 0.05
        self.visible_after = 0.0
        self.away = False
        self.dead = False
        """The process that calls has died: nothing leaves it any more."""
        self.honours_reduce_only = True
        self.orders: dict[str, Booked] = {}
        self.twice: list[str] = []
        """Client ids that were placed more than once."""
        self.positions: dict[str, Decimal] = {}
        self.prices: dict[str, Decimal] = {}
        self.sent: list[tuple[str, str]] = []

    # The market

    def price(self, symbol: str) -> Decimal:
        return self.prices.get(symbol, Decimal(100))

    def move(self, symbol: str, price: int) -> None:
        """The market moves, and fills what it reaches."""
        self.prices[symbol] = Decimal(price)
        for order in list(self.orders.values()):
            if order.symbol == symbol and order.status in OPEN and self._reached(order):
                self.fill(order, order.quantity - order.executed)

    def fill(self, order: Booked, quantity: Decimal) -> None:
        """Trade so much of an order; a reduce-only one trades no more than there is to reduce."""
        held = self.positions.get(order.symbol, Decimal(0))
        if order.reduce_only and self.honours_reduce_only:
            quantity = min(quantity, max(Decimal(0), -order.sign * held))
            if not quantity:
                order.status = "EXPIRED"
                return
        self.positions[order.symbol] = held + order.sign * quantity
        order.executed += quantity
        whole = order.executed >= order.quantity or order.conditional
        order.status = "FILLED" if whole else "PARTIALLY_FILLED"

    def _reached(self, order: Booked) -> bool:
        price = self.price(order.symbol)
        if order.limit is not None:
            return order.sign * price <= order.sign * order.limit
        if order.trigger is None:
            return True
        rising = (order.sign > 0) == (order.kind == "STOP_MARKET")
        return price >= order.trigger if rising else price <= order.trigger

    def open(self, prefix: str = "") -> list[Booked]:
        return [order for order in self.orders.values() if order.status in OPEN and order.client_id.startswith(prefix)]

    def booked(self, role: str) -> list[Booked]:
        """The orders of a role, whatever became of them."""
        return [order for name, order in self.orders.items() if name.rpartition("-")[2].startswith(role)]

    # The wire

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:  # noqa: ARG002
        clock = self.bench.clock
        params = {name: values[0] for name, values in parse_qs(f"{request.query}&{request.body.decode()}").items()}
        keys = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
        client_id = next((params[key] for key in keys if key in params), "")
        if self.dead:
            raise NotSent("connect", "the process is dead")
        self.sent.append((request.method, client_id))
        if self.away:
            await clock.sleep(min(self.takes, seconds))
            return DEFINITE
        if request.path.endswith("ping"):
            return answer(200, {})
        if request.path.endswith("positionRisk"):
            held = [{"symbol": name, "positionAmt": str(held)} for name, held in self.positions.items()]
            return answer(200, [position | {"positionSide": "BOTH"} for position in held])
        if request.method == "POST":
            return await self._told(self.placing, lambda fate: self._place(params, client_id, fate))
        if request.method == "DELETE":
            return await self._told(self.cancelling, lambda _: self._cancel(client_id))
        await clock.sleep(self.takes)
        order = self.orders.get(client_id)
        if order is None or clock.monotonic() < order.visible:
            return answer(400, {"code": -2013, "msg": "Order does not exist."})
        return answer(200, order.told())

    async def _told(self, fates: list[str], act: Any) -> Answer:
        fate = fates.pop(0) if fates else "done"
        if fate == "unreachable":
            raise NotSent("connect", "OSError")
        done = act(fate) if fate.endswith(("done", "part")) else answer(200, {})
        await self.bench.clock.sleep(self.takes)
        match fate.partition(" ")[0]:
            case "definite":
                return answer(503, {"code": 0, "msg": "Service Unavailable."})
            case "ambiguous":
                return answer(503, UNKNOWN_WORDS)
            case "lost":
                raise MaybeSent("reset", "ConnectionResetError")
            case "margin":
                return answer(400, {"code": -2019, "msg": "Margin is insufficient."})
        assert isinstance(done, Answer)
        return done

    def _place(self, params: dict[str, str], client_id: str, fate: str) -> Answer:
        clock = self.bench.clock
        if client_id in self.orders:
            self.twice.append(client_id)
        trigger, limit = params.get("triggerPrice"), params.get("price")
        order = Booked(
            client_id=client_id,
            symbol=params["symbol"],
            side=params["side"],
            kind=params["type"],
            quantity=Decimal(params["quantity"]),
            reduce_only=params.get("reduceOnly") == "true",
            time=int(clock.now() * 1000),
            visible=clock.monotonic() + self.visible_after,
            trigger=None if trigger is None else Decimal(trigger),
            limit=None if limit is None else Decimal(limit),
        )
        held = self.positions.get(order.symbol, Decimal(0))
        if order.conditional and self._reached(order):
            return answer(400, {"code": -2021, "msg": "Order would immediately trigger."})
        if order.reduce_only and self.honours_reduce_only and -order.sign * held <= 0 and not order.conditional:
            return answer(400, {"code": -2022, "msg": "ReduceOnly Order is rejected."})
        self.orders[client_id] = order
        if order.kind == "MARKET":
            part = Decimal("0.4") if fate == "part" else Decimal(1)
            self.fill(order, order.quantity * part)
            if order.status in OPEN:
                order.status = "EXPIRED"
        elif self._reached(order):
            self.fill(order, order.quantity)
        return answer(200, order.told())

    def _cancel(self, client_id: str) -> Answer:
        order = self.orders.get(client_id)
        if order is None or order.status not in OPEN:
            return answer(400, {"code": -2011, "msg": "Unknown order sent."})
        order.status = "CANCELED"
        if order.conditional:
            return answer(200, {"algoId": 5, "clientAlgoId": client_id, "code": "200", "msg": "success"})
        return answer(200, order.told())


def shown(exchange: Exchange) -> str:
    """The book, for a test that fails."""
    rows = [
        f"{order.client_id} {order.kind} {order.side} {order.executed}/{order.quantity} {order.status}"
        for order in exchange.orders.values()
    ]
    return json.dumps(
        {"positions": {key: str(value) for key, value in exchange.positions.items()}, "book": rows}, indent=1
    )
