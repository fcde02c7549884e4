"""What the tests of operations share: the real engine on the real queue and gateway, before a small exchange."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sidecar.config.model import Operations
from sidecar.orders.operations.draft import OperationDraft
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.inquiries import Told
from sidecar.orders.operations.journal import Journal
from sidecar.orders.operations.model import Operation
from sidecar.store import StoreClosedError
from sidecar.telemetry.events import PositionUnprotected
from tests.orders.carrying import FlakyStore, Shop
from tests.orders.operations.exchange import Exchange

T = TypeVar("T")
SETTINGS: dict[str, Any] = {
    "breaker": {"failures": 10_000, "minimum_calls": 10_000},
    "retry": {"budget_floor": 1000},
    "queue": {"doubt_seconds": 60, "drain_per_second": 1000},
}
BRACKET: dict[str, Any] = {
    "type": "bracket",
    "broker": "binance",
    "instrument": "BTCUSDT",
    "side": "buy",
    "quantity": "1",
    "stop_price": "90",
    "target_price": "110",
}
CLOSE: dict[str, Any] = {
    "type": "position_close",
    "broker": "binance",
    "instrument": "BTCUSDT",
    "side": "buy",
    "quantity": "1",
}
OCO: dict[str, Any] = {
    "type": "oco",
    "broker": "binance",
    "instrument": "BTCUSDT",
    "first": {"side": "sell", "type": "stop", "quantity": "1", "stop_price": "90", "reduce_only": True},
    "second": {"side": "sell", "type": "limit", "quantity": "1", "price": "110", "reduce_only": True},
}


class Floor(Shop):
    """A process with an operation engine. Each `run` is one life; the state file and the exchange are what stays."""

    def __init__(
        self, folder: Path, placing: Iterable[str] = (), cancelling: Iterable[str] = (), **settings: Any
    ) -> None:
        super().__init__(folder, **(SETTINGS | settings))
        self.exchange = Exchange(self.bench, placing, cancelling)
        self.broker = self.exchange  # type: ignore[assignment] # stands in the same place
        self.policy = Operations()
        self.engine: OperationEngine
        self.writes = 0
        self.dies_at: int | None = None
        """The write after which the process is dead."""
        self.dies_before = False
        """Whether that write itself still reaches the disk."""

    def live(self, life: Callable[[], Awaitable[T]], *, crash: bool = False) -> T:
        """One process from its start to its end, or to a crash."""

        async def main() -> T:
            self._make_mortal(self.store)
            bus, rng = self.bench.gateway._bus, self.bench.gateway._rng
            journal = Journal(self.store, 86400, self.clock)
            self.engine = OperationEngine(
                self.desk, journal, self.policy, ["binance"], bus=bus, clock=self.clock, rng=rng
            )
            await self.engine.recover(30)
            try:
                return await life()
            finally:
                if not crash and not self.exchange.dead:
                    self.engine.wind_down()
                    await self.engine.finish()

        self.exchange.dead = False
        return self.run(main, crash=crash)

    def _make_mortal(self, store: FlakyStore) -> None:
        write = store.write

        async def mortal(work: Callable[..., T]) -> T:
            if self.exchange.dead:
                raise StoreClosedError("the process is dead")
            self.writes += 1
            if self.writes == self.dies_at and self.dies_before:
                self.exchange.dead = True
                raise StoreClosedError("the process is dead")
            done = await write(work)
            if self.writes == self.dies_at:
                self.exchange.dead = True
                raise StoreClosedError("the process is dead")
            return done

        store.write = mortal  # type: ignore[method-assign] # the seam under test

    async def ask(self, draft: dict[str, Any], **changes: Any) -> Operation:
        """Begin an operation."""
        operation, _ = await self.engine.begin(OperationDraft.model_validate(draft | changes).root)
        return operation

    async def in_place(self, operation: Operation, seconds: float = 1e5) -> Told:
        return await self.engine.wait(operation.id, seconds, final=False)

    async def ended(self, operation: Operation, seconds: float = 1e5) -> Told:
        return await self.engine.wait(operation.id, seconds, final=True)

    @property
    def alarms(self) -> list[str]:
        """What a person was called for."""
        return [event.reason for event in self.told if isinstance(event, PositionUnprotected)]
