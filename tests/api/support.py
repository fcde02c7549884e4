"""What the tests of the sockets share: a gateway that records, a clock that stands still, a client made of bytes."""

import asyncio
import dataclasses
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from sidecar.api import Api
from sidecar.api.ports import Controls
from sidecar.api.routes import Route
from sidecar.calls.model import Fate, Result
from sidecar.config.model import Config
from sidecar.telemetry.events import Bus, CallRefused
from sidecar.telemetry.state import (
    BreakerReading,
    BrokerReading,
    CacheReading,
    ConditionReading,
    DegradationReading,
    GateReading,
    LimitState,
    OperationalReading,
    ReadinessReading,
)
from sidecar.wire import Answer, Request
from sidecar.words import (
    BreakerMode,
    BreakerState,
    BrokerState,
    DegradationLevel,
    OperationalState,
    Outcome,
    Readiness,
    RefusalKind,
)

EVERYWHERE = str(ipaddress.IPv4Address(0))
OK = Answer(200, ((b"Content-Type", b"application/json"),), b'{"ok":true}', "OK")


@dataclasses.dataclass
class Seen:
    request: Request
    deadline_seconds: float | None
    traceparent: bytes | None
    tracestate: bytes | None
    gone: Callable[[], bool]


class FakeGateway:
    """A broker that answers what the test wants and remembers what it was asked."""

    def __init__(self, name: str = "binance") -> None:
        self.name = name
        self.answer: Answer | Callable[[Request], Awaitable[Answer]] = OK
        self.seen: list[Seen] = []
        self.resets: list[tuple[str | None, str]] = []
        self.modes: list[tuple[str | None, BreakerMode, str]] = []
        self.limit_resets: list[str] = []
        self.level = DegradationLevel.NONE
        self.levels: list[tuple[DegradationLevel, str, float]] = []

    async def run(
        self,
        request: Request,
        *,
        deadline_seconds: float | None,
        traceparent: bytes | None,
        tracestate: bytes | None,
        gone: Callable[[], bool],
    ) -> Result:
        self.seen.append(Seen(request, deadline_seconds, traceparent, tracestate, gone))
        answer = self.answer if isinstance(self.answer, Answer) else await self.answer(request)
        return Result(answer, Fate(Outcome.OK, attempts=2, waited=1.5))

    async def knows(self, *requests: Request) -> bool:  # noqa: ARG002 - the protocol's
        return False

    def announced(self, request: Request) -> AbstractContextManager[None]:  # noqa: ARG002 - likewise
        return nullcontext()

    def refuse(self, kind: RefusalKind, message: str) -> Result:
        body = f'{{"code":-1000,"msg":"{message}"}}'.encode()
        answer = Answer(400, ((b"Content-Type", b"application/json"),), body)
        return Result(answer, Fate(Outcome.FATAL, attempts=0, why=kind, source="sidecar"))

    @property
    def controls(self) -> Controls:
        return self

    def reading(self) -> BrokerReading:
        breaker = BreakerReading("orders", BreakerState.OPEN, BreakerMode.AUTO, 1.0, 5, 0.5, 0.0, 61.0)
        limit = LimitState("weight_1m", 10.0, 2400.0, 2.0, None, 0)
        gate = GateReading(shut=True, outcome="rate_limited", until=9.0)
        condition = ConditionReading(BrokerState.OK, True, 0.0, 0, 600.0, False)
        return BrokerReading(
            self.name,
            "generic",
            "https://broker.test",
            condition,
            (breaker,),
            (limit,),
            gate,
            3,
            10.0,
            DegradationReading(self.level, 0.0, None, "", None, None),
            CacheReading(0, 0),
            ("fills",),
        )

    def reset_breakers(self, group: str | None, reason: str) -> None:
        self._known(group)
        self.resets.append((group, reason))

    def set_breaker_mode(self, group: str | None, mode: BreakerMode, reason: str) -> None:
        self._known(group)
        self.modes.append((group, mode, reason))

    def reset_limits(self, reason: str) -> None:
        self.limit_resets.append(reason)

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        self.level = level
        self.levels.append((level, reason, seconds))

    def recover(self, reason: str) -> None:
        self.degrade(DegradationLevel.NONE, reason, 0)

    @staticmethod
    def _known(group: str | None) -> None:
        if group not in {None, "orders"}:
            raise KeyError(group)


@dataclasses.dataclass
class FakeHealth:
    started: bool = True
    ready: tuple[bool, str] = (True, "ready")

    def reading(self) -> OperationalReading:
        binance = ReadinessReading("binance", Readiness.READY, "", 5.0, None)
        return OperationalReading(OperationalState.ACTIVE, "binance: may be traded with", 5.0, (binance,))


class Promise:
    def __init__(self, seconds: float, callback: Callable[[], None], changed: asyncio.Event) -> None:
        self.seconds = seconds
        self.callback = callback
        self.cancelled = False
        self._changed = changed

    def cancel(self) -> None:
        self.cancelled = True
        self._changed.set()


class HandClock:
    """A clock whose promises the test keeps by hand: real sockets and virtual time do not mix."""

    def __init__(self) -> None:
        self.promises: list[Promise] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 100.0

    async def sleep(self, seconds: float) -> None:
        del seconds
        await asyncio.sleep(0)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Promise:
        promise = Promise(seconds, callback, self._changed)
        self.promises.append(promise)
        self._changed.set()
        return promise

    def waiting(self, seconds: float) -> list[Promise]:
        return [promise for promise in self.promises if promise.seconds == seconds and not promise.cancelled]

    async def until(self, *, waiting: int, seconds: float) -> None:
        """Return once so many wait for exactly so long."""
        async with asyncio.timeout(5):
            while len(self.waiting(seconds)) != waiting:
                self._changed.clear()
                await self._changed.wait()

    def keep(self, seconds: float) -> None:
        """Call back everyone who still waits for exactly this long."""
        due = self.waiting(seconds)
        assert due, f"nobody waits for {seconds} s"
        for promise in due:
            self.promises.remove(promise)
            promise.callback()


@dataclasses.dataclass
class House:
    """A started `Api` and everything around it."""

    api: Api
    binance: FakeGateway
    oanda: FakeGateway
    bus: Bus
    clock: HandClock
    health: FakeHealth
    socket: Path
    accepts: list[str]
    """The `Accept` headers that the exposition was asked with."""
    refusals: list[CallRefused]

    async def connect(self, listener: str = "unix") -> "Client":
        if listener == "unix":
            return Client(*await asyncio.open_unix_connection(self.socket))
        address = self.api.tcp_address if listener == "tcp" else self.api.scrape_address
        assert address is not None
        return Client(*await asyncio.open_connection(*address))

    async def ask(self, request: bytes, listener: str = "unix") -> "Told":
        """One request on a connection of its own."""
        client = await self.connect(listener)
        try:
            return await client.ask(request)
        finally:
            await client.hang_up()


@asynccontextmanager
async def house(
    folder: Path, *, exposition: bytes = b"# EOF\n", more: Sequence[Route] = (), **listen: Any
) -> AsyncIterator[House]:
    socket = folder / "s"
    config = Config.model_validate(
        {
            "bot": "tester",
            "listen": {"unix": socket, "tcp": "127.0.0.1:0", **listen},
            "scrape": {"address": "127.0.0.1:0"},
            "brokers": {"binance": {"profile": "generic", "base_url": "https://broker.test"}},
        }
    )
    binance, oanda, clock, health = FakeGateway(), FakeGateway("oanda"), HandClock(), FakeHealth()
    failures: list[Exception] = []
    bus = Bus(clock, failures.append)
    refusals: list[CallRefused] = []
    bus.subscribe(CallRefused, refusals.append)
    accepts: list[str] = []

    def expose(accept: str) -> tuple[bytes, str]:
        accepts.append(accept)
        return exposition, "application/openmetrics-text; version=1.0.0"

    gateways = {"binance": binance, "oanda": oanda}
    api = Api(config, gateways, bus=bus, clock=clock, health=health, exposition=expose, more=more)
    await api.start()
    try:
        yield House(api, binance, oanda, bus, clock, health, socket, accepts, refusals)
    finally:
        await api.stop(0)
    assert failures == []


@dataclasses.dataclass
class Told:
    """An answer as it came over the wire."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        lines = self.head.split(b"\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Client:
    """A bot that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> Told:
        self.writer.write(request)
        return await self.answer(bodiless=request.startswith(b"HEAD "))

    async def head(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self, *, bodiless: bool = False) -> Told:
        told = Told(await self.head(), b"")
        if bodiless or told.status in {204, 304}:
            return told
        async with asyncio.timeout(5):
            if told.header(b"Transfer-Encoding") == b"chunked":
                told.body = b"".join([chunk async for chunk in self.chunks()])
            else:
                told.body = await self.reader.readexactly(int(told.header(b"Content-Length") or 0))
        return told

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self.chunk():
            yield chunk

    async def chunk(self) -> bytes:
        """One chunk; empty at a stream's clean end. Raises `IncompleteReadError` where it was cut."""
        async with asyncio.timeout(5):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """Everything until the sidecar closes the connection."""
        async with asyncio.timeout(5):
            return await self.reader.read()

    async def hang_up(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


def get(target: str, *headers: str, method: str = "GET", host: str = "localhost") -> bytes:
    """A request without a body."""
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def post(target: str, body: bytes, *headers: str, host: str = "localhost") -> bytes:
    """A request with a body and its length."""
    return get(target, f"Content-Length: {len(body)}", *headers, method="POST", host=host) + body
