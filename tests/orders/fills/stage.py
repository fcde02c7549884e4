"""What the tests of followed orders share: the floor of an exchange, and the stream by which it tells of its book."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sidecar.brokers._oanda_stream import heard
from sidecar.brokers.profile import Verdict
from sidecar.brokers.streams import OrderStream, Renewal, Socket
from sidecar.calls.transport import MaybeSent, NotSent
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.ledger import Ledger
from sidecar.telemetry.events import FILLS, OrderLookedUp, StreamClosed, StreamOpened
from sidecar.wire import Answer, Request
from sidecar.words import Outcome
from tests.orders.operations.exchange import Booked
from tests.orders.operations.floor import Floor

T = TypeVar("T")
STREAM = OrderStream(Request("GET", "/stream", ()), heard, silence_seconds=20.0)
RENEWAL = Renewal(Request("PUT", "/key", ()), 1800.0)
KEYED = OrderStream(Request("POST", "/key", ()), heard, None, lambda _: Socket("/socket", RENEWAL))
"""A stream over a WebSocket that a key opens."""
BEAT_SECONDS = 5.0
REFUSED = Verdict(Outcome.FATAL, "auth")
TOO_MANY = Verdict(Outcome.RATE_LIMITED, "rate_limit")
AWAY = Verdict(Outcome.TRANSIENT, "connect")


class Wire(AsyncIterator[bytes]):
    """One open stream, as the transport would hand it out: bytes, an end, or a break."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = False

    async def __anext__(self) -> bytes:
        said = await self.said.get()
        if said is None:
            raise StopAsyncIteration
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        self.closed = True
        self.said.put_nowait(None)


class Broadcast:
    """The streams of the exchange. `verdicts` are the answers to who opens one; after them, every one is opened."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.verdicts: list[Verdict] = []
        self.asked: list[float] = []
        self.renewals: list[Verdict] = []
        self.renewed: list[float] = []
        self.unreachable = False
        self.wires: list[Wire] = []
        self.number = 0
        self.beats = True
        self.tell: Callable[[list[bytes]], list[bytes]] = lambda lines: lines
        """What becomes of what the exchange says, on its way."""

    async def open_stream(self, question: Request) -> tuple[Answer | None, Verdict]:
        await self.stage.clock.sleep(0.05)
        if question == RENEWAL.request:
            self.renewed.append(self.stage.clock.monotonic())
            return Answer(200, ()), self.renewals.pop(0) if self.renewals else Verdict(Outcome.OK)
        assert question == self.stage.stream.request
        self.asked.append(self.stage.clock.monotonic())
        verdict = self.verdicts.pop(0) if self.verdicts else Verdict(Outcome.OK)
        if verdict.outcome is not Outcome.OK:
            return Answer(400, ()), verdict
        return Answer(200, (), chunks=None if self.stage.stream.socket else self.wire()), verdict

    async def open_socket(self, socket: Socket) -> AsyncIterator[bytes]:
        assert socket.target == "/socket"
        if self.unreachable:
            raise NotSent("connect", "OSError")
        return self.wire()

    def wire(self) -> Wire:
        wire = Wire()
        self.wires.append(wire)
        return wire

    @property
    def open(self) -> list[Wire]:
        return [wire for wire in self.wires if not wire.closed]

    def transaction(self, order: Booked) -> None:
        """Something happens to an order, and is told."""
        self.number += 1
        self.say({"id": str(self.number), "type": "ORDER_FILL", "clientOrderID": order.client_id})

    def say(self, *told: Any) -> None:
        for line in self.tell([json.dumps(each).encode() + b"\n" for each in told]):
            for wire in self.open:
                wire.said.put_nowait(line)

    def lose(self) -> None:
        for wire in self.open:
            wire.said.put_nowait(MaybeSent("reset", "ConnectionResetError"))

    def end(self) -> None:
        for wire in self.open:
            wire.said.put_nowait(None)

    async def beat(self) -> None:
        while True:
            await self.stage.clock.sleep(BEAT_SECONDS)
            if self.beats:
                self.say({"type": "HEARTBEAT", "lastTransactionID": str(self.number)})


class Stage(Floor):
    """A process that follows its orders. What fills is told by the stream."""

    def __init__(self, folder: Path, *fates: Any, look_seconds: float = 5.0, **settings: Any) -> None:
        super().__init__(folder, *fates, **settings)
        self.policy = self.policy.model_copy(update={"look_seconds": look_seconds})
        self.broadcast = Broadcast(self)
        self.streams: FillStreams
        self.follows = True
        self.stream = STREAM
        fill, cancel = self.exchange.fill, self.exchange._cancel

        def told_fill(order: Booked, quantity: Decimal) -> None:
            fill(order, quantity)
            self.broadcast.transaction(order)

        def told_cancel(client_id: str) -> Answer:
            answer = cancel(client_id)
            if client_id in self.exchange.orders:
                self.broadcast.transaction(self.exchange.orders[client_id])
            return answer

        self.exchange.fill = told_fill  # type: ignore[method-assign] # it tells what it does
        self.exchange._cancel = told_cancel  # type: ignore[method-assign] # likewise

    def live(self, life: Callable[[], Awaitable[T]], *, crash: bool = False) -> T:
        async def followed() -> T:
            gateway = self.bench.gateway
            gateway.questions.open_stream = self.broadcast.open_stream  # type: ignore[method-assign] # the seam under test
            gateway.questions.open_socket = self.broadcast.open_socket  # type: ignore[method-assign] # likewise
            gateway.questions.order_stream = lambda account: None if account else self.stream  # type: ignore[method-assign] # too
            ledger = Ledger(self.store, 86400, self.clock)
            self.streams = FillStreams(
                gateway, self.queue, ledger, bus=gateway._bus, clock=self.clock, rng=gateway._rng
            )
            self.desk._fill_streams = {"binance": self.streams} if self.follows else {}
            background = [asyncio.create_task(self.broadcast.beat())]
            if self.follows:
                background.append(asyncio.create_task(self.streams.run()))
            try:
                return await life()
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)

        return super().live(followed, crash=crash)

    async def following_begins(self) -> Wire:
        """Wait until a stream is open, and what had to be looked at then has been."""
        while not self.broadcast.open:
            await self.clock.sleep(0.01)
        await self.clock.sleep(1)
        return self.broadcast.open[-1]

    @property
    def looks(self) -> int:
        return sum(isinstance(event, OrderLookedUp) for event in self.told)

    @property
    def opened(self) -> int:
        return sum(isinstance(event, StreamOpened) and event.stream == FILLS for event in self.told)

    @property
    def closed(self) -> list[str]:
        """Why streams ended, or did not come about."""
        return [event.reason for event in self.told if isinstance(event, StreamClosed)]
