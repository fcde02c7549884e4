"""Brokers that place a bracket in one request, in virtual time: the simulators' own books, and faults by a list."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.simulator.binance.call import Call
from sidecar.simulator.binance.errors import BinanceError
from sidecar.simulator.binance.exchange import Exchange as BinanceExchange
from sidecar.simulator.binance.parameters import Parameters
from sidecar.simulator.binance.spot_endpoints import ENDPOINTS
from sidecar.simulator.oanda.book import State
from sidecar.simulator.oanda.errors import RefusedError
from sidecar.simulator.oanda.exchange import AccountSpec, Rules
from sidecar.simulator.oanda.exchange import Exchange as OandaExchange
from sidecar.simulator.oanda.stamps import DatetimeFormat, dumps
from sidecar.wire import Answer, Request
from tests.calls.scripted import Bench, answer
from tests.orders.operations.floor import Floor

_SPOT = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
_OPEN = {"NEW", "PARTIALLY_FILLED", "PENDING_NEW", "PENDING"}
ACCOUNT = AccountSpec().id


@dataclass(frozen=True)
class Booked:
    """One order as the broker has it."""

    leg: str
    kind: str
    quantity: Decimal
    filled: Decimal
    status: str

    @property
    def open(self) -> bool:
        return self.status in _OPEN


class Venue:
    """Stands where the transport stands. After the list of fates, everything is done as it was asked for."""

    profile = ""
    draft: ClassVar[dict[str, Any]]
    low: str
    """A price at which the stop trades."""
    high: str
    """A price at which the target trades."""
    stops: frozenset[str]

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.placing: list[str] = []
        self.dead = False
        """The process that calls has died: nothing leaves it any more."""
        self.sent: list[tuple[str, str]] = []

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:  # noqa: ARG002
        if self.dead:
            raise NotSent("connect", "the process is dead")
        self.sent.append((request.method, request.path))
        fate = self.placing.pop(0) if request.method == "POST" and self.placing else "done"
        if fate == "unreachable":
            raise NotSent("connect", "OSError")
        told = self.answer(request) if fate.endswith("done") else answer(200, {})
        await self.bench.clock.sleep(0.05)
        if fate.startswith("lost"):
            raise MaybeSent("reset", "ConnectionResetError")
        return told

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def move(self, price: str) -> None:
        raise NotImplementedError

    def booked(self) -> list[Booked]:
        """Every order of an operation that truly stands, or stood, in the book."""
        raise NotImplementedError

    @property
    def held(self) -> Decimal:
        """What was bought and not sold."""
        raise NotImplementedError

    def cancel(self, leg: str) -> None:
        """Somebody else cancels an order."""
        raise NotImplementedError

    def status(self) -> dict[str, str]:
        return {order.leg: order.status for order in self.booked()}

    def protected(self) -> Decimal:
        """How much the stops in the book would sell."""
        stops = (order for order in self.booked() if order.kind in self.stops and order.open)
        return sum((order.quantity for order in stops if order.status != "PENDING_NEW"), Decimal(0))

    @property
    def placements(self) -> int:
        return sum(method == "POST" for method, _ in self.sent)


class Spot(Venue):
    profile = "binance-spot"
    draft: ClassVar = {
        "type": "bracket",
        "broker": "binance",
        "instrument": "BTCUSDT",
        "side": "buy",
        "quantity": "0.01",
        "price": "60100",
        "stop_price": "50000",
        "target_price": "70000",
    }
    low, high = "49000", "71000"
    stops = frozenset({"STOP_LOSS"})

    def __init__(self, bench: Bench, *, owns: Decimal = Decimal(1), **options: Any) -> None:
        """`owns`: what the account holds already."""
        super().__init__(bench)
        self.exchange = BinanceExchange(clock=bench.clock, **options)
        self.account = self.exchange.account("demo-key")
        self.account.spot.balances["BTC"].free = self.owns = owns

    def answer(self, request: Request) -> Answer:
        endpoint = _SPOT.get((request.method, request.path))
        if endpoint is None:
            return answer(200, {"serverTime": self.exchange.now_ms()})
        parameters = Parameters.parse(request.query, request.body.decode())
        try:
            return answer(200, endpoint.run(Call(self.exchange, parameters, self.account)))
        except BinanceError as error:
            return answer(error.status, error.as_json())

    def move(self, price: str) -> None:
        self.exchange.set_price("BTCUSDT", Decimal(price))

    def booked(self) -> list[Booked]:
        return [
            Booked(order.client_id.rpartition("-")[2], order.type, order.quantity, order.filled, order.status)
            for order in self.account.spot.orders.values()
        ]

    @property
    def held(self) -> Decimal:
        balance = self.account.spot.balances["BTC"]
        return balance.free + balance.locked - self.owns

    def cancel(self, leg: str) -> None:
        spot = self.account.spot
        order = next(order for order in spot.orders.values() if order.client_id.endswith(leg))
        spot.cancel("BTCUSDT", order.order_id, "")


class Oanda(Venue):
    profile = "oanda"
    draft: ClassVar = {
        "type": "bracket",
        "broker": "binance",
        "instrument": "EUR_USD",
        "account": ACCOUNT,
        "side": "buy",
        "quantity": "100",
        "stop_price": "1.05",
        "target_price": "1.15",
    }
    low, high = "1.04", "1.16"
    stops = frozenset({"STOP_LOSS", "STOP"})

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.exchange = OandaExchange((AccountSpec(),), Rules(moving=False), bench.clock, 0)
        self.ledger = self.exchange.ledgers[ACCOUNT]

    def answer(self, request: Request) -> Answer:
        try:
            status, body = self._asked(request)
        except RefusedError as error:
            status, body = error.status, error.body
        return Answer(status, (), dumps(body, DatetimeFormat.RFC3339))

    def _asked(self, request: Request) -> tuple[int, Any]:
        journal = self.ledger.account.journal
        match request.method, [unquote(part) for part in request.path.split("/")[4:]]:
            case "POST", ["orders"]:
                return 201, self.ledger.place(json.loads(request.body))
            case "PUT", ["orders", specifier, "cancel"]:
                return 200, self.ledger.cancel(specifier)
            case "GET", ["orders", specifier]:
                order = self.ledger.find_order(specifier)
                missing = {"errorCode": "NO_SUCH_ORDER", "errorMessage": "The order ID specified does not exist"}
                return (404, missing) if order is None else (200, {"order": order.as_json()})
            case "GET", ["transactions", "sinceid"]:
                first = int(request.query.removeprefix("id=")) + 1
                return 200, {"transactions": list(journal.between(first, journal.last_id))}
            case "GET", ["transactions", number]:
                return 200, {"transaction": next(iter(journal.between(int(number), int(number))))}
        return 200, {"accounts": []}

    def move(self, price: str) -> None:
        self.exchange.set_price("EUR_USD", Decimal(price))

    def booked(self) -> list[Booked]:
        return [
            Booked(
                order.spec.client_id.rpartition("-")[2],
                order.spec.type.value,
                self._size(order.spec.trade_id, order.spec.units),
                order.filled,
                order.state.value,
            )
            for order in self.ledger.account.orders.values()
            if not order.stillborn
        ]

    def _size(self, trade_id: int | None, units: Decimal) -> Decimal:
        return abs(units) if trade_id is None else abs(self.ledger.account.trades[trade_id].units)

    @property
    def held(self) -> Decimal:
        return self.ledger.account.net("EUR_USD")

    def cancel(self, leg: str) -> None:
        orders = self.ledger.account.orders.values()
        order = next(o for o in orders if o.spec.client_id.endswith(leg) and o.state is State.PENDING)
        self.ledger.cancel(str(order.id))


class NativeFloor(Floor):
    """A process with an operation engine before a broker that is atomic."""

    venue: Venue

    def __init__(self, folder: Path, venue: type[Venue], fates: Iterable[str] = (), **options: Any) -> None:
        super().__init__(folder, profile=venue.profile, credentials=_KEYS[venue.profile])
        self.venue = venue(self.bench, **options)
        self.venue.placing = list(fates)
        self.broker = self.exchange = self.venue  # type: ignore[assignment] # stands in the same place


_KEYS = {"binance-spot": {"key": "k", "secret": "s"}, "oanda": {"token": "t"}}
