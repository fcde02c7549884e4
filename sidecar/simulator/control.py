"""The simulators' control interface: plan faults, move prices and clocks, and ask what truly happened."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from aiohttp import web

from sidecar.simulator.faults import Fault, FaultError, FaultPlan

_CLOSING_TURNS = 3
"""Turns of the event loop that an aborted connection may take to be closed."""
PREFIX = "/_control/"
"""Paths that start so are neither limited nor hit by faults."""


@dataclass(frozen=True, slots=True)
class ExecutedOrder:
    """An order that the broker has truly taken into its book."""

    order_id: str
    client_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled: str
    status: str


@dataclass(frozen=True, slots=True)
class ExecutedCancel:
    """An order that the broker has truly cancelled because it was asked to."""

    order_id: str
    client_id: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Executed:
    """A broker's book in short, in the order in which things happened."""

    orders: tuple[ExecutedOrder, ...] = ()
    cancels: tuple[ExecutedCancel, ...] = ()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What arrived and what was refused, by `"METHOD /path/template"` (refusals also by status)."""

    requests: Mapping[str, int]
    rejected: Mapping[str, int]


class Controlled(Protocol):
    """What the control interface steers."""

    @property
    def plan(self) -> FaultPlan:
        """The faults to come."""

    def executed(self) -> Executed:
        """What truly happened in the book."""

    def traffic(self) -> Traffic:
        """What truly arrived."""

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market; `KeyError` for a symbol that is not traded."""

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time (behind it where negative)."""

    def reset(self) -> None:
        """Begin anew: empty books, no faults, all counts 0."""


class Control:
    """The handlers under `/_control/`."""

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        self._routes: Mapping[tuple[str, str], Callable[[web.Request], Awaitable[web.Response]]] = {
            ("GET", "faults"): self._get_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "executed"): self._executed,
            ("POST", "clock"): self._set_clock,
            ("POST", "price"): self._set_price,
            ("POST", "reset"): self._reset,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one control call; 404 for one that does not exist, 400 for one that makes no sense."""
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None:
            known = ", ".join(f"{method} {PREFIX}{name}" for method, name in self._routes)
            return _problem(404, f"there is no {request.method} {request.path}; there are {known}")
        try:
            return await route(request)
        except (FaultError, json.JSONDecodeError, UnicodeDecodeError) as error:
            return _problem(400, f"{request.path}: {error}")

    async def _get_faults(self, _request: web.Request) -> web.Response:
        plan = self._simulator.plan
        return web.json_response(
            {
                "faults": [entry.fault.as_json() | {"remaining": entry.remaining} for entry in plan.planned],
                "fired": dict(plan.fired),
            }
        )

    async def _add_faults(self, request: web.Request) -> web.Response:
        described = json.loads(await request.text())
        faults = [Fault.from_json(item) for item in (described if isinstance(described, list) else [described])]
        self._simulator.plan.add(*faults)
        for _ in range(_CLOSING_TURNS):
            await asyncio.sleep(0)  # a connection that a fault breaks is broken when its planner hears of it
        return await self._get_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._simulator.plan.clear()
        return await self._get_faults(request)

    async def _executed(self, _request: web.Request) -> web.Response:
        executed, traffic = self._simulator.executed(), self._simulator.traffic()
        counts = {
            "orders": len(executed.orders),
            "cancels": len(executed.cancels),
            "requests": sum(traffic.requests.values()),
            "rejected": sum(traffic.rejected.values()),
        }
        told = {"requests": dict(traffic.requests), "rejected": dict(traffic.rejected)}
        return web.json_response({"counts": counts} | asdict(executed) | told)

    async def _set_clock(self, request: web.Request) -> web.Response:
        seconds = _number(await _object(request), "offset_seconds")
        self._simulator.set_clock_offset(float(seconds))
        return web.json_response({"offset_seconds": float(seconds)})

    async def _set_price(self, request: web.Request) -> web.Response:
        wanted = await _object(request)
        symbol, price = str(wanted.get("symbol", "")), _number(wanted, "price")
        if price <= 0:
            raise FaultError(f"price is {price}; use more than 0")
        try:
            self._simulator.set_price(symbol, price)
        except KeyError:
            raise FaultError(f"{symbol!r} is not traded here") from None
        return web.json_response({"symbol": symbol, "price": str(price)})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._simulator.reset()
        return web.json_response({})


async def _object(request: web.Request) -> Mapping[str, Any]:
    body = json.loads(await request.text())
    if not isinstance(body, dict):
        raise FaultError("the body must be a JSON object")
    return body


def _number(body: Mapping[str, Any], key: str) -> Decimal:
    try:
        number = Decimal(str(body.get(key)))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise FaultError(f"{key} must be a number")
    return number


def _problem(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)
