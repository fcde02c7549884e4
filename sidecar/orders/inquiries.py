"""What became of the orders that the sidecar carries: asked for, waited for, followed."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.clock import Clock
from sidecar.orders.errors import UnknownOrderError
from sidecar.orders.fills.streams import FillStreams
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Change, Order
from sidecar.orders.queue import OrderQueue
from sidecar.orders.watchers import Watchers
from sidecar.telemetry.events import Bus, OrderStateChanged
from sidecar.words import OrderState

HEARTBEAT_SECONDS: Final = 15.0
_FIRST_LOOK_SECONDS: Final = 1.0
_LONGEST_LOOK_SECONDS: Final = 10.0
"""Pauses between looks at a working order for somebody who waits for its end."""


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of one order."""

    order: Order
    changes: tuple[Change, ...]


class Inquiries:
    """Tells of the orders of all queues, and of those that the ledger alone still knows."""

    def __init__(
        self,
        queues: Mapping[str, OrderQueue],
        ledger: Ledger,
        *,
        bus: Bus,
        clock: Clock,
        fill_streams: Mapping[str, FillStreams] | None = None,
    ) -> None:
        """`fill_streams`: what learns of fills by the brokers' streams, where there are any."""
        self._queues = dict(queues)
        self._fill_streams = dict(fill_streams or {})
        self._ledger = ledger
        self._clock = clock
        self._watchers = Watchers(clock)
        bus.subscribe(OrderStateChanged, self._hear)

    async def account(self, order_id: str) -> Account:
        """What is known of an order now. Raises UnknownOrderError, StoreError."""
        order = self._open(order_id) or await self._ledger.find(order_id)
        if order is None:
            raise UnknownOrderError("no such order, or none any more; GET /v1/orders lists those that are known")
        changes = await self._ledger.changes(order_id)
        if changes and changes[-1].state is not order.state:  # the disk is about to know it, too
            changes.append(Change(order.updated_at, order.state, order.reason))
        return Account(order, tuple(changes))

    async def select(self, wanted: Wanted) -> list[Order]:
        """The newest orders of a kind. Raises StoreError."""
        return [self._open(order.id) or order for order in await self._ledger.select(wanted)]

    async def look_again(self, order_id: str) -> None:
        """Ask the broker how far a working order is."""
        order = (await self.account(order_id)).order
        queue = self._queues.get(order.broker)
        if order.state is OrderState.WORKING and queue is not None:
            await queue.look_again(order_id)

    def follows(self, broker: str, account: str) -> bool:
        """Whether the broker tells by itself, now, what happens to an account's orders."""
        streams = self._fill_streams.get(broker)
        return streams is not None and streams.live(account)

    async def wait(self, order_id: str, seconds: float, *, final: bool) -> Account:
        """What is known of an order once it is settled, or after `seconds`. Raises UnknownOrderError, StoreError.

        Settled is what the broker has answered: an order in its book as well. `final` waits for the order's end, and
        asks the broker about it now and then.
        """
        ends = self._clock.monotonic() + seconds
        pause = _FIRST_LOOK_SECONDS
        with self._watchers.watch(order_id) as watch:
            while True:
                watch.clear()
                account = await self.account(order_id)
                left = ends - self._clock.monotonic()
                state = account.order.state
                if state.final or left <= 0 or not (state.open or final):
                    return account
                working = state is OrderState.WORKING
                await watch.heard(min(left, pause) if working else left)
                if working:
                    pause = min(2 * pause, _LONGEST_LOOK_SECONDS)
                    await self.look_again(order_id)

    async def follow(self, order_id: str) -> AsyncIterator[Account]:
        """What is known of an order, at once, after each change and in silence now and then, until its end.

        In silence the broker is asked how far an order in its book is.

        Raises as `account` does.
        """
        with self._watchers.watch(order_id) as watch:
            while True:
                watch.clear()
                account = await self.account(order_id)
                yield account
                if account.order.state.final:
                    return
                await watch.heard(HEARTBEAT_SECONDS)
                if account.order.state is OrderState.WORKING:
                    await self.look_again(order_id)

    def _hear(self, event: OrderStateChanged) -> None:
        self._watchers.tell(event.order)

    def _open(self, order_id: str) -> Order | None:
        found = (queue.find(order_id) for queue in self._queues.values())
        return next((order for order in found if order is not None), None)
