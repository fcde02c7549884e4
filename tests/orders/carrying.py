"""What the tests of carried orders share: the real queue and gateway over a broker that keeps a small book."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.clock import VirtualClock
from sidecar.config.model import Broker
from sidecar.health.prober import Prober
from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.inquiries import Account
from sidecar.orders.intake import Taken
from sidecar.orders.ledger import Ledger
from sidecar.orders.queue import OrderQueue
from sidecar.store import StoreFullError
from sidecar.telemetry.events import Event, OrderStateChanged
from sidecar.wire import Answer, Request
from sidecar.words import OrderState
from tests.calls.scripted import DEFINITE, Bench, answer
from tests.store.inline import InlineStore

T = TypeVar("T")

UNKNOWN_WORDS = {"code": -1007, "msg": "Timeout waiting for response. Send status unknown; execution status unknown."}
FATES = (
    "done",
    "definite",
    "limited",
    "unreachable",
    "ambiguous",
    "ambiguous and done",
    "lost",
    "lost and done",
    "margin",
    "unauthorised",
)
"""What can become of a transmission; the first word is what the sidecar hears, `and done` what it does not."""


class BookBroker:
    """Stands where the transport stands: a broker with a book, whose fates for placements come from a list.

    After the list, everything is done. `away` answers everything with a 503 that executes nothing; `ask` is the price.
    """

    def __init__(self, bench: Bench, fates: Iterable[str] = (), *, takes: float = 0.1) -> None:
        self.bench = bench
        self.fates = list(fates)
        self.takes = takes
        self.away = False
        self.fills = True
        self.visible_after = 0.0
        """Seconds until an order can be looked up."""
        self.ask = "100.0"
        self.book: dict[str, dict[str, Any]] = {}
        self.executions: list[str] = []
        """Client ids in the order of their execution."""
        self.sent: list[tuple[float, str, str]] = []
        """Monotonic seconds, method and client id of all that arrived."""
        self.before_placing: Callable[[str], None] = lambda _: None

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:  # noqa: ARG002
        clock = self.bench.clock
        text = request.query + "&" + request.body.decode()
        params = {key: values[0] for key, values in parse_qs(text).items()}
        client_id = params.get("newClientOrderId") or params.get("origClientOrderId") or ""
        self.sent.append((clock.monotonic(), request.method, client_id))
        if self.away:
            await clock.sleep(min(self.takes, seconds))
            return DEFINITE
        if request.path.endswith("ping"):
            return answer(200, {})
        if request.path.endswith("bookTicker"):
            return answer(200, {"symbol": params["symbol"], "bidPrice": self.ask, "askPrice": self.ask})
        if request.method == "POST":
            self.before_placing(client_id)
            return await self._place(params, seconds)
        await clock.sleep(min(self.takes, seconds))
        order = self.book.get(client_id)
        if order is None or clock.monotonic() < order["visible"]:
            missing = -2011 if request.method == "DELETE" else -2013
            return answer(400, {"code": missing, "msg": "Order does not exist."})
        if request.method == "DELETE":
            if order["status"] != "NEW":
                return answer(400, {"code": -2011, "msg": "Unknown order sent."})
            order["status"] = "CANCELED"
        return answer(200, self._told(order))

    async def _place(self, params: dict[str, str], seconds: float) -> Answer:
        fate = self.fates.pop(0) if self.fates else "done"
        client_id = params["newClientOrderId"]
        if fate == "unreachable":
            raise NotSent("connect", "OSError")
        if fate.endswith("done"):
            self.executions.append(client_id)
            clock = self.bench.clock
            order = {"client_id": client_id, "params": params, "status": "FILLED" if self.fills else "NEW"}
            self.book[client_id] = order | {
                "time": int(clock.now() * 1000),
                "visible": clock.monotonic() + self.visible_after,
            }
        await self.bench.clock.sleep(min(self.takes, seconds))
        match fate.partition(" ")[0]:
            case "definite":
                return answer(503, {"code": 0, "msg": "Service Unavailable."})
            case "limited":
                return answer(429, {"code": -1003, "msg": "Too many requests"}, Retry_After="1")
            case "ambiguous":
                return answer(503, UNKNOWN_WORDS)
            case "lost":
                raise MaybeSent("reset", "ConnectionResetError")
            case "unauthorised":
                return answer(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
            case "margin":
                return answer(400, {"code": -2019, "msg": "Margin is insufficient."})
        return answer(200, self._told(self.book[client_id]))

    @staticmethod
    def _told(order: dict[str, Any]) -> dict[str, Any]:
        params = order["params"]
        done = params["quantity"] if order["status"] == "FILLED" else "0"
        return {
            "orderId": 7,
            "clientOrderId": order["client_id"],
            "symbol": params["symbol"],
            "side": params["side"],
            "status": order["status"],
            "origQty": params["quantity"],
            "executedQty": done,
            "time": order["time"],
        }

    def placements(self, client_id: str) -> int:
        """How often an order was transmitted."""
        return sum(method == "POST" and named == client_id for _, method, named in self.sent)


class FlakyStore(InlineStore):
    """A store on a disk that is full while `full` says so, after each write has taken some seconds."""

    full = False
    takes = 0.0

    def __init__(self, path: Path, clock: VirtualClock) -> None:
        super().__init__(path)
        self._clock = clock

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.takes:
            await self._clock.sleep(self.takes)
        if self.full:
            raise StoreFullError("the disk is full")
        return await super().write(work)


class Shop:
    """A queue before a broker. Each `run` is the life of one process: the state file and the broker are what stays."""

    def __init__(self, folder: Path, fates: Iterable[str] = (), *, takes: float = 0.1, **settings: Any) -> None:
        self.path = folder / "state.db"
        self.settings = {
            "profile": "binance-usdm",
            "base_url": "http://127.0.0.1:1",
            "credentials": {"key": "k", "secret": "s"},
            "maintenance": {"consecutive_503": 3},
        } | settings
        self.bench = Bench((), **self.settings)
        self.clock = self.bench.clock
        self.broker = BookBroker(self.bench, fates, takes=takes)
        self.told: list[Event] = []
        self.lives = 0
        self.full_at_start = False
        self.store: FlakyStore
        self.queue: OrderQueue
        self.desk: OrderDesk

    def run(self, life: Callable[[], Awaitable[T]], *, crash: bool = False, recovery: float = 30) -> T:
        """One process from its start to its end, or to a crash: then what is under way is simply gone."""

        async def main() -> T:
            bench = self._bench()
            self.store = FlakyStore(self.path, self.clock)
            await self.store.open()
            bus, profile = bench.gateway._bus, bench.gateway._profile
            settings = Broker.model_validate(self.settings)
            ledger = Ledger(self.store, 86400, self.clock)
            self.queue = OrderQueue(
                bench.gateway,
                profile,
                ledger,
                settings.queue,
                deadline_seconds=settings.deadline_seconds,
                bus=bus,
                clock=self.clock,
                rng=bench.gateway._rng,
            )
            self.desk = OrderDesk(
                {"binance": self.queue},
                ledger,
                bus=bus,
                clock=self.clock,
                rng=bench.gateway._rng,
                client_id_seconds={"binance": settings.client_id_seconds},
            )
            self.store.full = self.full_at_start
            await self.queue.restore()
            await self.queue.recover(recovery)
            self.queue.start()
            probing = asyncio.create_task(Prober(bench.condition, bench.gateway.look).run())
            try:
                return await life()
            finally:
                probing.cancel()
                if not crash:
                    bench.gateway.wind_down()
                    self.queue.wind_down()
                    await self.queue.finish()
                await self.store.close()

        return self.clock.run(main())

    def _bench(self) -> Bench:
        """A new process's gateway, on the same clock and before the same broker."""
        self.lives += 1
        bench = Bench((), clock=self.clock, seed=self.lives, **self.settings)
        bench.gateway._transport.send = self.broker.send  # type: ignore[method-assign] # the seam under test
        bench.told = self.told
        self.bench = self.broker.bench = bench
        return bench

    async def place(self, client_id: str = "c1", **terms: Any) -> Taken:
        usual = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": client_id}
        return await self.desk.place(OrderDraft.model_validate(usual | terms))

    async def settled(self, taken: Taken, seconds: float = 1e6) -> Account:
        return await self.desk.wait(taken.order.id, seconds, final=False)

    def outcome(self, client_id: str = "c1", **terms: Any) -> Account:
        """What becomes of one order in the life of one process."""

        async def life() -> Account:
            return await self.settled(await self.place(client_id, **terms))

        return self.run(life)

    def on_disk(self, client_id: str) -> str:
        """The state that a crash at this moment would leave."""
        with sqlite3.connect(self.path) as connection:
            row = connection.execute("SELECT state FROM orders WHERE client_id = ?", (client_id,)).fetchone()
        connection.close()
        return str(row[0])

    def states(self, client_id: str = "c1") -> list[OrderState]:
        """What was told of an order."""
        changes = (event for event in self.told if isinstance(event, OrderStateChanged))
        return [event.to_state for event in changes if event.client_id == client_id and event.kind == "order"]


async def away(shop: Shop) -> None:
    """Let it be known that the broker is away, so that orders wait."""
    shop.broker.away = True
    for _ in range(3):
        await shop.bench.gateway.run(cancelling("nobody"), deadline_seconds=0.9)
    await shop.clock.sleep(5)
    assert not shop.bench.gateway.can_trade


async def back(shop: Shop) -> None:
    """The broker is there again, and that has been seen."""
    shop.broker.away = False
    await shop.clock.sleep(120)


def proxied(client_id: str = "c1", **parameters: str) -> Request:
    """A bot's own order, with a signature that is worth nothing."""
    usual = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1", "newClientOrderId": client_id}
    query = "&".join(f"{key}={value}" for key, value in (usual | parameters).items() if value)
    return Request("POST", f"/fapi/v1/order?{query}&timestamp=1&signature=abc", ((b"X-MBX-APIKEY", b"bots-key"),))


def cancelling(client_id: str = "c1") -> Request:
    """A bot's own cancel."""
    return Request("DELETE", f"/fapi/v1/order?symbol=BTCUSDT&origClientOrderId={client_id}", ())


def body(account: Account) -> Any:
    """The broker's last word, parsed."""
    assert account.order.answer is not None
    return json.loads(account.order.answer.body)
