"""What the tests of keyed calls share: the real gateway over a scripted wire, the real state file, virtual time."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sidecar.brokers.registry import build
from sidecar.calls.model import Result
from sidecar.config.model import Broker
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.keys import Keys
from sidecar.store import StoreFullError
from sidecar.telemetry.events import CallReplayed
from sidecar.wire import Request
from tests.calls.scripted import Bench, Step, order
from tests.store.inline import InlineStore

T = TypeVar("T")
HEADER = b"Idempotency-Key"
PROFILE = build(Broker.model_validate({"profile": "binance-usdm", "base_url": "http://127.0.0.1:1"}))


def keyed(key: str = "k1", request: Request | None = None) -> Request:
    """An order with a key."""
    plain = order() if request is None else request
    return Request(plain.method, plain.target, (*plain.headers, (HEADER, key.encode())), plain.body)


class FullStore(InlineStore):
    """A store on a disk that is full while `full` says so."""

    full = False

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.full:
            raise StoreFullError("the disk is full")
        return await super().write(work)


class Desk:
    """A gateway with keys. Each `run` is the life of one process: the state file and the broker are what stays."""

    def __init__(
        self,
        folder: Path,
        script: Iterable[Step],
        *,
        seconds: float = 86400,
        client_id_seconds: float = 0,
        **settings: Any,
    ) -> None:
        self.client_id_seconds = client_id_seconds
        self.path = folder / "state.db"
        self.seconds = seconds
        self.bench = Bench(script, **settings)
        self.clock = self.bench.clock
        self.store: FullStore
        self.front: IdempotentGateway

    def run(self, life: Callable[[], Awaitable[T]], *, crash: bool = False, stateless: bool = False) -> T:
        """One process from its start to its end, or to a crash: then what is under way is simply gone."""

        async def main() -> T:
            self.store = FullStore(self.path)
            await self.store.open()
            keys = None if stateless else Keys(self.store, "binance", self.seconds, self.clock)
            self.front = IdempotentGateway(
                self.bench.gateway,
                PROFILE,
                keys,
                deadline_seconds=60,
                bus=self.bench.gateway._bus,
                clock=self.clock,
                client_id_seconds=self.client_id_seconds,
            )
            try:
                return await life()
            finally:
                if not crash:
                    await self.front.finish()
                await self.store.close()

        return self.clock.run(main())

    async def send(self, request: Request | None = None, deadline: float | None = None) -> Result:
        return await self.front.run(keyed() if request is None else request, deadline_seconds=deadline)

    def once(self, request: Request | None = None) -> Result:
        """One call in the life of one process."""
        return self.run(lambda: self.send(request))

    async def soon(self, seconds: float = 0.05) -> "asyncio.Task[Result]":
        """A call that has been sent and has no answer yet."""
        task = asyncio.create_task(self.send())
        await self.clock.sleep(seconds)
        return task

    @property
    def sent(self) -> int:
        return self.bench.attempts

    @property
    def how(self) -> list[str]:
        """What became of the calls that were not sent."""
        return [event.result for event in self.bench.events(CallReplayed)]
