"""The small exchange again, as a ProjectX gateway: no reduce-only orders, cancels by number, answers without fills."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.orders.intake import Taken
from sidecar.orders.operations.model import Operation
from sidecar.wire import Answer, Request
from tests.calls.scripted import Bench, answer
from tests.orders.operations.exchange import OPEN, Booked, Exchange
from tests.orders.operations.floor import Floor

PLACING = ("done", "limited", "unreachable", "pending", "pending and done", "lost", "lost and done", "margin")
"""What becomes of an order or a close; `pending` is the gateway's code for one that is still being processed."""
CANCELLING = ("done", "limited", "lost", "lost and done", "unreachable")
LIMIT, MARKET, STOP = 1, 2, 4
_STATUS = {"NEW": 1, "PARTIALLY_FILLED": 1, "FILLED": 2, "CANCELED": 3}
_KINDS = {LIMIT: "LIMIT", MARKET: "MARKET", STOP: "STOP_MARKET"}


class Gateway(Exchange):
    """Whole contracts alone. Closes are in the book, too, without a tag, as `close-1`, `close-2`, ..."""

    def __init__(self, bench: Bench, *fates: Any) -> None:
        super().__init__(bench, *fates)
        self.numbers: dict[int, Booked] = {}
        self._numbers, self._closes = count(9001), count(1)
        self._acts: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "order/place": self._taken,
            "order/cancel": self._cancelled,
            "position/closecontract": self._closed,
            "position/partialclosecontract": self._closed,
        }
        self._reads: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "order/search": lambda _: said(orders=[order for order in map(self._shown, self.numbers) if order]),
            "order/searchopen": lambda _: said(
                orders=[order for order in map(self._shown, self.numbers) if order and order["status"] == 1]
            ),
            "order/searchbyid": lambda asked: (
                said(order=found) if (found := self._shown(asked["orderId"])) else said(1)
            ),
            "position/searchopen": lambda _: said(positions=self._held()),
        }

    def fill(self, order: Booked, quantity: Decimal) -> None:
        super().fill(order, Decimal(ceil(quantity)))

    # The wire

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:  # noqa: ARG002
        if self.dead:
            raise NotSent("connect", "the process is dead")
        path, asked = request.path.removeprefix("/api/").lower(), json.loads(request.body or b"{}")
        self.sent.append((path, asked.get("customTag", "")))
        if self.away:
            await self.bench.clock.sleep(min(self.takes, seconds))
            return answer(502, "<html>")
        if path in self._acts:
            fates = self.cancelling if path == "order/cancel" else self.placing
            return await self._met(fates, lambda: self._acts[path](asked))
        await self.bench.clock.sleep(self.takes)
        if path.startswith("auth"):
            return said(token="t")
        return self._reads[path](asked) if path in self._reads else said()

    async def _met(self, fates: list[str], act: Callable[[], Answer]) -> Answer:
        fate = fates.pop(0) if fates else "done"
        if fate == "unreachable":
            raise NotSent("connect", "OSError")
        done = act() if fate.endswith("done") else said()
        await self.bench.clock.sleep(self.takes)
        match fate.partition(" ")[0]:
            case "limited":
                return answer(429, "")
            case "pending":
                return said(6)
            case "lost":
                raise MaybeSent("reset", "ConnectionResetError")
            case "margin":
                return said(3)
        return done

    # What it does

    def _taken(self, asked: dict[str, Any]) -> Answer:
        tag, kind = asked["customTag"], asked["type"]
        if tag in self.orders:
            self.twice.append(tag)
        limit, stop = asked["limitPrice"], asked["stopPrice"]
        order = self._made(tag, asked["contractId"], asked["side"], asked["size"], kind)
        order.limit = None if limit is None else Decimal(limit)
        order.trigger = None if stop is None else Decimal(stop)
        if kind == STOP and self._reached(order):
            del self.orders[tag]
            return said(2)
        number = self._book(order)
        if self._reached(order):
            self.fill(order, order.quantity)
        return said(orderId=number)

    def _closed(self, asked: dict[str, Any]) -> Answer:
        held = self.positions.get(asked["contractId"], Decimal(0))
        size = int(asked.get("size", abs(held)))
        if not held:
            return said(2)
        if size > abs(held) or ("size" in asked and size == abs(held)):
            return said(5)
        side = 1 if held > 0 else 0
        order = self._made(f"close-{next(self._closes)}", asked["contractId"], side, size, MARKET)
        self._book(order)
        self.fill(order, order.quantity)
        return said()

    def _cancelled(self, asked: dict[str, Any]) -> Answer:
        order = self.numbers.get(asked["orderId"])
        if order is None:
            return said(2)
        if order.status not in OPEN:
            return said(3)
        order.status = "CANCELED"
        return said()

    def _made(self, name: str, contract: str, side: int, size: int, kind: int) -> Booked:
        clock = self.bench.clock
        order = Booked(
            client_id=name,
            symbol=contract,
            side="SELL" if side else "BUY",
            kind=_KINDS[kind],
            quantity=Decimal(size),
            reduce_only=False,
            time=int(clock.now() * 1000),
            visible=clock.monotonic() + self.visible_after,
        )
        self.orders[name] = order
        return order

    def _book(self, order: Booked) -> int:
        number = next(self._numbers)
        self.numbers[number] = order
        return number

    # What it shows

    def _shown(self, number: int) -> dict[str, Any] | None:
        order = self.numbers.get(number)
        if order is None or self.bench.clock.monotonic() < order.visible:
            return None
        created = datetime.fromtimestamp(order.time / 1000, UTC).isoformat()
        return {
            "id": number,
            "contractId": order.symbol,
            "creationTimestamp": created,
            "status": _STATUS[order.status],
            "type": next(kind for kind, name in _KINDS.items() if name == order.kind),
            "side": 0 if order.side == "BUY" else 1,
            "size": int(order.quantity),
            "fillVolume": int(order.executed),
            "customTag": None if order.client_id.startswith("close-") else order.client_id,
        }

    def _held(self) -> list[dict[str, Any]]:
        return [
            {"contractId": contract, "type": 1 if size > 0 else 2, "size": int(abs(size))}
            for contract, size in self.positions.items()
            if size
        ]


def said(code: int = 0, **fields: Any) -> Answer:
    """An answer in the gateway's envelope."""
    return answer(200, {**fields, "success": not code, "errorCode": code, "errorMessage": None})


class GatewayFloor(Floor):
    """The floor before a ProjectX gateway."""

    def __init__(self, folder: Path, *fates: Any, **settings: Any) -> None:
        keys = {"user_name": "ada", "key": "k"}
        super().__init__(folder, **({"profile": "projectx", "credentials": keys} | settings))
        self.gateway = Gateway(self.bench, *fates)
        self.exchange = self.gateway
        self.broker = self.gateway  # type: ignore[assignment] # stands in the same place

    async def ask(self, draft: dict[str, Any], **changes: Any) -> Operation:
        account = {} if draft["type"] in {"bulk_cancel", "modification"} else {"account": "1"}
        return await super().ask(draft, **(account | changes))

    async def place(self, client_id: str = "c1", **terms: Any) -> Taken:
        return await super().place(client_id, account="1", **terms)
