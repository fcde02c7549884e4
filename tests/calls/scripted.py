"""A gateway to a broker that answers by script, in virtual time."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sidecar.brokers.registry import build
from sidecar.calls.gateway import Gateway
from sidecar.calls.limiter import Address
from sidecar.calls.model import Result
from sidecar.clock import VirtualClock
from sidecar.config.model import Broker
from sidecar.health.setup import condition, degradation
from sidecar.telemetry.events import Bus, CallFinished, Event
from sidecar.wire import Answer, Request

Step = Answer | Exception


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    """A broker's answer; header names are written with underscores."""
    raw = body.encode() if isinstance(body, str) else json.dumps({} if body is None else body).encode()
    pairs = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Answer(status, pairs, raw)


FILLED = answer(200, {"orderId": 7, "status": "FILLED", "symbol": "BTCUSDT"})
DEFINITE = answer(503, {"code": 0, "msg": "Service Unavailable."})
AMBIGUOUS = answer(503, {"code": 0, "msg": "Unknown error, please check your request or try again later."})
MARGIN = answer(400, {"code": -2019, "msg": "Margin is insufficient."})
BAD_KEY = answer(401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})


def order(**parameters: str) -> Request:
    """A new order, as a bot would send it."""
    query = "&".join(f"{key}={value}" for key, value in ({"symbol": "BTCUSDT", "side": "BUY"} | parameters).items())
    return Request("POST", f"/fapi/v1/order?{query}", ())


CANCEL = Request("DELETE", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=mine", ())
READ = Request("GET", "/fapi/v1/ticker/price?symbol=BTCUSDT", ())


@dataclass
class Wire:
    """Stands where the transport stands: answers by script, the last step for ever, and notes when it was asked."""

    clock: VirtualClock
    script: list[Step]
    takes: float = 0.1
    sent_at: list[float] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def send(self, request: Request, *, seconds: float, reserved: bool = False) -> Answer:  # noqa: ARG002
        self.sent_at.append(self.clock.monotonic())
        self.requests.append(request)
        step = self.script[min(len(self.sent_at), len(self.script)) - 1]
        await self.clock.sleep(min(self.takes, seconds))
        if isinstance(step, Exception):
            raise step
        return step


class Bench:
    """A gateway with a scripted wire; everything that it told is in `told`."""

    def __init__(
        self,
        script: Iterable[Step],
        *,
        takes: float = 0.1,
        seed: int = 1,
        clock: VirtualClock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.told: list[Event] = []
        bus = Bus(self.clock)
        for kind in Event.__args__:
            bus.subscribe(kind, self._hear)
        usual = {"profile": "binance-usdm", "base_url": "http://127.0.0.1:1", "maintenance": {"consecutive_503": 1000}}
        broker = Broker.model_validate(usual | settings)
        rng = Random(seed)
        self.condition = condition("binance", broker.maintenance, bus=bus, clock=self.clock, rng=rng)
        self.degradation = degradation("binance", broker, self.condition, bus=bus, clock=self.clock)
        self.gateway = Gateway(
            "binance",
            broker,
            build(broker),
            address=Address(self.clock),
            admission=self.condition,
            restraint=self.degradation,
            bus=bus,
            clock=self.clock,
            rng=rng,
        )
        self.wire = Wire(self.clock, list(script), takes)
        self.gateway._transport.send = self.wire.send  # type: ignore[method-assign] # the seam under test

    def _hear(self, event: Event) -> None:
        self.told.append(event)  # wherever `told` is now: benches of one broker may share it

    def call(self, request: Request, deadline: float | None = 60.0) -> Result:
        return self.clock.run(self.gateway.run(request, deadline_seconds=deadline))

    @property
    def attempts(self) -> int:
        return len(self.wire.sent_at)

    def events(self, kind: type) -> list[Any]:
        return [event for event in self.told if type(event) is kind]

    @property
    def finished(self) -> CallFinished:
        newest: CallFinished = self.events(CallFinished)[-1]
        return newest
