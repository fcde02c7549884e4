"""The room as one thing that starts and stops: the queues of all brokers, the desk before them, and the operations."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from sidecar.brokers.profile import Profile
from sidecar.calls.gateway import Gateway
from sidecar.clock import Clock
from sidecar.config.model import Config, Stop
from sidecar.orders.desk import OrderDesk
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.idempotency import IdempotentGateway
from sidecar.orders.leaving import Leaving, leavings
from sidecar.orders.ledger import Ledger
from sidecar.orders.operations.engine import OperationEngine
from sidecar.orders.operations.journal import Journal
from sidecar.orders.queue import OrderQueue
from sidecar.store import Store, StoreError
from sidecar.telemetry.events import Bus, PositionsClosed
from sidecar.telemetry.state import OrdersReading


class Orders:
    """The orders that the sidecar carries, at brokers whose requests are signed here; none without a state file."""

    def __init__(
        self,
        store: Store | None,
        config: Config,
        profiles: Mapping[str, Profile],
        gateways: Mapping[str, Gateway],
        fronts: Mapping[str, IdempotentGateway],
        *,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`fronts` is where bots call the brokers directly."""
        self._gateways = gateways
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._ledger: Ledger | None = None
        self._fills: dict[str, FillStreams] = {}
        self.queues: dict[str, OrderQueue] = {}
        """By the names of their brokers."""
        self.desk: OrderDesk | None = None
        self.operations: OperationEngine | None = None
        if store is None:
            return
        self._ledger = ledger = Ledger(store, config.state.order_history_seconds, clock)
        self.queues = {
            name: OrderQueue(
                gateways[name],
                profiles[name],
                ledger,
                settings.queue,
                deadline_seconds=settings.deadline_seconds,
                bus=bus,
                clock=clock,
                rng=rng,
            )
            for name, settings in config.brokers.items()
            if gateways[name].signs
        }
        self._fills = {
            name: FillStreams(gateways[name], queue, ledger, bus=bus, clock=clock, rng=rng)
            for name, queue in self.queues.items()
            if gateways[name].questions.tells_of_orders
        }
        self.desk = OrderDesk(
            self.queues,
            ledger,
            bus=bus,
            clock=clock,
            rng=rng,
            fill_streams=self._fills,
            client_id_seconds={name: settings.client_id_seconds for name, settings in config.brokers.items()},
            sent_directly={name: front.knows for name, front in fronts.items()},
        )
        self.operations = OperationEngine(
            self.desk,
            Journal(store, config.operations.history_seconds, clock),
            config.operations,
            list(gateways),
            bus=bus,
            clock=clock,
            rng=rng,
        )

    def readings(self) -> Sequence[OrdersReading]:
        """How many orders are in each state, by broker."""
        return [queue.reading() for queue in self.queues.values()]

    # The start

    async def restore(self) -> None:
        """Take over the orders that the last run left, before anybody can hand in or cancel one. Raises StoreError."""
        for queue in self.queues.values():
            await queue.restore()
        if self.desk is not None:
            await self.desk.give_up_strays()

    async def recover(self, seconds: float) -> None:
        """Go on with what the last run left, each part for at most `seconds`. Raises StoreError.

        The orders first, because operations ask how theirs are.
        """
        await asyncio.gather(*(queue.recover(seconds) for queue in self.queues.values()))
        if self.operations is not None:
            await self.operations.recover(seconds)

    def start(self) -> None:
        """Begin to send orders on."""
        for queue in self.queues.values():
            queue.start()

    def watches(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on until the stop, by what it is called."""
        return {f"fills of {name}": streams.run() for name, streams in self._fills.items()}

    # The stop

    def wind_down(self) -> None:
        """Begin nothing new; what is under way may end."""
        if self.operations is not None:
            self.operations.wind_down()
        for queue in self.queues.values():
            queue.wind_down()

    async def take_back(self, stop: Stop) -> None:
        """Take back what waits, where that is configured; an order that opened a position anew would be worse there."""
        wanted = [
            queue for name, queue in self.queues.items() if stop.cancel_waiting_orders or name in stop.close_positions
        ]
        await asyncio.gather(*(queue.clear("taken back: the sidecar was stopped") for queue in wanted))

    def end_waits(self) -> None:
        """Tell those who wait for an order how it is, but for one that is on its way; only after `take_back`."""
        if self.desk is not None:
            self.desk.end_waits()

    def leavings(self, stop: Stop) -> list[Leaving]:
        """What takes orders and positions off the market, where that is configured."""
        if self._ledger is None:
            return []
        queues = list(self.queues.values())
        return leavings(queues, self._gateways, self._ledger, stop, clock=self._clock, rng=self._rng)

    async def left(self, leaving: Leaving) -> None:
        """Tell what became of positions, and end the operations of a broker where nothing is held any more.

        Only after `finish_operations`.
        """
        if leaving.closes:
            self._bus.emit(PositionsClosed(leaving.broker, leaving.closed, leaving.open))
        if leaving.clean and self.operations is not None:
            with suppress(StoreError):  # the next start finds the same
                await self.operations.settle(leaving.broker, "the sidecar was stopped, and closed what was held")

    async def finish_operations(self) -> None:
        """Return when no operation acts any more; only after `wind_down`."""
        if self.operations is not None:
            await self.operations.finish()

    async def finish(self) -> None:
        """Write down what became of what is still under way; only after `wind_down`."""
        await self.finish_operations()
        await asyncio.gather(*(queue.finish() for queue in self.queues.values()))

    def waiting(self) -> list[str]:
        """How many orders wait for each broker where some do, for people."""
        return [f"orders that wait for {name}: {len(queue)}" for name, queue in self.queues.items() if len(queue)]
