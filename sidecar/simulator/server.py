"""A simulated broker behind a real socket."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.clock import Clock, SystemClock
from sidecar.simulator.control import PREFIX, Control, Executed, Traffic
from sidecar.simulator.faults import (
    CannedAnswer,
    Fault,
    FaultKind,
    FaultPlan,
    faults_middleware,
    refusal,
)
from sidecar.simulator.listener import Listener

BROKERS = ("binance", "oanda", "projectx", "openalgo")
"""The brokers that can be simulated."""


class Broker(Protocol):
    """What one kind of broker brings to its simulator."""

    @property
    def name(self) -> str:
        """The broker's name, in lower case."""

    def application(self, faults: Middleware) -> web.Application:
        """The broker's routes, with `faults` at its place among the broker's own middlewares.

        What stands before it also sees requests that a fault then spoils (rate limits); what comes after it is spoilt.
        """

    def canned(self, fault: Fault) -> CannedAnswer | None:
        """The broker's own words for a fault that is an answer; `None` where it has none."""

    def executed(self) -> Executed:
        """What truly happened in the book."""

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market; `KeyError` for a symbol that is not traded."""

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time."""

    def reset(self) -> None:
        """Begin anew with empty books and limits."""


class Simulator:
    """One broker, its faults, and the listener that they can close.

    A `refused` fault that is certain and hits every request closes the listener as soon as it is planned; any other
    closes it after the answer to the request that drew it. Existing connections are closed with it.
    """

    def __init__(
        self, broker: Broker, *, seed: int = 0, faults: Iterable[Fault] = (), clock: Clock | None = None
    ) -> None:
        self.broker = broker
        self.plan = FaultPlan(seed, faults)
        self._clock = clock or SystemClock()
        self._control = Control(self)
        self._requests: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._listener: Listener | None = None
        self.plan.on_add(self._fault_added)

    def executed(self) -> Executed:
        """What truly happened in the book."""
        return self.broker.executed()

    def traffic(self) -> Traffic:
        """What truly arrived, and what was answered with 400 or more."""
        return Traffic(MappingProxyType(dict(self._requests)), MappingProxyType(dict(self._rejected)))

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market; `KeyError` for a symbol that is not traded."""
        self.broker.set_price(symbol, price)

    def set_clock_offset(self, seconds: float) -> None:
        """Let the broker's clock run ahead of the true time."""
        self.broker.set_clock_offset(seconds)

    def reset(self) -> None:
        """Begin anew: empty books, no faults, all counts 0, the broker's clock true."""
        self.broker.reset()
        self.broker.set_clock_offset(0.0)
        self.plan.reset()
        self._requests.clear()
        self._rejected.clear()

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listen (port 0: any free one) and yield the base URL, until the block ends."""
        application = self.broker.application(faults_middleware(self.plan, self.broker.canned, self._clock))
        application.middlewares.insert(0, self._gate())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        server = cast("web.Server", runner.server)
        self._listener = Listener(server, self._clock, host, port)
        try:
            await self._listener.open()
            for entry in self.plan.planned:
                self._fault_added(entry.fault)
            yield self._listener.url
        finally:
            self._listener.close()
            self._listener = None
            await runner.cleanup()

    def _fault_added(self, fault: Fault) -> None:
        certain = fault.probability >= 1.0 and not fault.method and not fault.path
        if fault.kind is not FaultKind.REFUSED or not certain or self._listener is None:
            return
        if drawn := self.plan.take(FaultKind.REFUSED):
            self._listener.refuse(drawn.duration)

    def _gate(self) -> Middleware:
        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            listener = self._listener
            if listener is None:
                raise web.HTTPServiceUnavailable
            with listener.busy(request.transport):
                if request.path.startswith(PREFIX):
                    response: web.StreamResponse = await self._control.handle(request)
                else:
                    response = await self._count(request, handler)
                if (seconds := refusal(request)) is not None:
                    listener.refuse(seconds)
                if listener.closed and not response.prepared:
                    response.force_close()
                return response

        return gate

    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        endpoint = f"{request.method} {resource.canonical if resource else request.path}"
        self._requests[endpoint] += 1
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            response = answer
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own border between success and failure
            self._rejected[f"{endpoint} {response.status}"] += 1
        return response


async def simulate(name: str, *, host: str, port: int, seed: int, faults: Sequence[Fault] = ()) -> None:
    """Serve the broker of that name until cancelled, printing its URL once it listens.

    Raises `ValueError` for a name that is not in `BROKERS`, `OSError` where the address cannot be had.
    """
    if name not in BROKERS:
        raise ValueError(f"there is no simulator for {name!r}; there are {', '.join(BROKERS)}")
    # Each broker's package has a factory; only the one that is asked for is loaded.
    broker = cast("Broker", import_module(f"sidecar.simulator.{name}").broker(seed=seed))
    async with Simulator(broker, seed=seed, faults=faults).serving(host, port) as url:
        print(f"{name} simulator: {url}  control: {url}{PREFIX}executed", flush=True)  # noqa: T201 - its output
        await asyncio.Event().wait()
