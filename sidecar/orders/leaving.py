"""What a stop takes off the market, where it is configured to: orders that work at the broker, and positions.

Only when the last call of a bot has ended and the queue has wound down, so that nobody else acts. A position keeps its
stop until it is closed: first the orders that could open more are cancelled, then the broker is asked what is held and
each position is closed by one order that can only reduce it, then the broker is asked again, and what protected the
positions that are gone is cancelled.

Nothing is closed twice: what is held is asked for each time, the broker lets none of these orders turn a position
round, and none is sent a second time or after the stop. What is left is told, and no later start closes it: by then the
price, and the trader's mind, may be others.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Final

from sidecar.brokers.positions import Position, TellsPositions
from sidecar.brokers.profile import Inexpressible, Profile
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.calls.latesigning import new_client_id
from sidecar.clock import Clock
from sidecar.config.model import Stop
from sidecar.orders.errors import OrderError
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind, Order, new_order
from sidecar.orders.queue import OrderQueue
from sidecar.store import StoreError
from sidecar.wire import Request
from sidecar.words import Effect, OrderState

REST_SECONDS: Final = 1.0
"""How long what is on its way is waited for, before the broker is asked what is held."""
PAUSE_SECONDS: Final = 0.3
"""Between two questions what is held: some brokers are a moment behind their own fills."""
LOOKS: Final = 4
MOST_ORDERS: Final = 1000
_SETTLED: Final = frozenset({OrderState.CANCELLED, OrderState.REJECTED})
"""How a cancel ends whose order is not open any more: one that is declined comes too late."""

_log = logging.getLogger("sidecar.orders")


class Leaving:
    """Takes one broker's orders, and perhaps its positions, off the market."""

    def __init__(
        self,
        gateway: Gateway,
        profile: Profile,
        queue: OrderQueue,
        ledger: Ledger,
        *,
        closes: bool,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`closes`: whether positions are closed, and reduce-only orders cancelled when theirs is."""
        self.broker = gateway.name
        self._gateway = gateway
        self._profile = profile
        self._queue = queue
        self._ledger = ledger
        self.closes = closes
        self._clock = clock
        self._rng = rng
        self._until = clock.now()
        self._before: tuple[Position, ...] | None = None
        self._after: tuple[Position, ...] | None = None
        self._uncancelled: set[str] = set()
        self._faults: list[str] = []
        self._ended = False

    async def run(self, seconds: float) -> None:
        """Do it; nothing is sent after so many seconds."""
        self._until = self._clock.now() + seconds
        try:
            await self._leave(seconds)
        except Exception as failure:  # noqa: BLE001 - a fault here must not keep a stop from its other phases
            _log.exception("leaving %s failed", self.broker)
            self._faults.append(
                f"{self.broker}: leaving the market failed inside the sidecar ({type(failure).__name__})"
            )

    async def _leave(self, seconds: float) -> None:
        await self._queue.rest(min(REST_SECONDS, seconds))
        await self._cancel(lambda order: not self._reduces(order))
        if self.closes:
            await self._close()
            await self._cancel(lambda order: self._reduces(order) and not self._holds(order))
        self._ended = True

    @property
    def closed(self) -> tuple[str, ...]:
        """The positions that were there and are not any more, for people."""
        after = self._after
        return () if after is None else tuple(str(held) for held in self._before or () if not _among(held, after))

    @property
    def open(self) -> tuple[str, ...]:
        """What could not be closed, or may not be, for people."""
        if not self.closes:
            return ()
        if self._before is None:
            return (f"what is held at {self.broker}: it does not say",)
        if self._after is None:
            return tuple(f"{held} at {self.broker}: whether it is closed is not known" for held in self._before)
        return tuple(f"{held} at {self.broker}" for held in self._after)

    @property
    def left(self) -> list[str]:
        """All that could not be done, for people and the next start."""
        left = [f"position not closed: {held}" for held in self.open]
        if self._uncancelled:
            left.append(f"orders at {self.broker} that were not cancelled: {len(self._uncancelled)}")
        return left + self._faults

    @property
    def clean(self) -> bool:
        """Whether nothing is held any more, and no order of the sidecar's can change that."""
        return self.closes and self._ended and self._after == () and not (self.left or len(self._queue))

    # Orders

    async def _cancel(self, wanted: Callable[[Order], bool]) -> None:
        try:
            orders = await self._ledger.select(
                Wanted(brokers=(self.broker,), states=(OrderState.WORKING,), most=MOST_ORDERS)
            )
        except StoreError:
            self._faults.append(f"orders at {self.broker}: the state file does not tell which work there")
            return
        chosen = [order for order in orders if order.kind is Kind.ORDER and wanted(order)]
        self._uncancelled |= {order.id for order in chosen}
        await asyncio.gather(*(self._cancel_one(order) for order in chosen))

    async def _cancel_one(self, order: Order) -> None:
        request = self._profile.cancellation(order.request, order.broker_order_id)
        if request is not None:
            cancel = await self._sent(Kind.CANCEL, order.client_id, request)
            if cancel is not None and cancel.state in _SETTLED:
                self._uncancelled.discard(order.id)

    def _reduces(self, order: Order) -> bool:
        return self._profile.understand(order.request).effect is Effect.REDUCES_RISK

    def _holds(self, order: Order) -> bool:
        """Whether a position is, or may be, there that the order belongs to."""
        lane = order.lane
        return self._after is None or any(
            (held.account, held.instrument) == (lane.account, lane.instrument) for held in self._after
        )

    # Positions

    async def _close(self) -> None:
        self._before = await self._held(lambda _: True)
        if not self._before:
            self._after = self._before
            return
        await asyncio.gather(*(self._close_one(held) for held in self._before))
        self._after = await self._held(lambda held: not held)

    async def _held(self, enough: Callable[[tuple[Position, ...]], bool]) -> tuple[Position, ...] | None:
        """What is held, asked for a few times at most until it is `enough`; None when the broker does not say."""
        found = None
        for number in range(LOOKS):
            if number:
                await self._clock.sleep(PAUSE_SECONDS)
            told = await self._asked()
            found = found if told is None else told
            if found is not None and enough(found):
                break
        return found

    async def _asked(self) -> tuple[Position, ...] | None:
        if not isinstance(self._profile, TellsPositions):
            return None
        asking = self._profile.positions()
        try:
            question = next(asking)
            while True:
                question = asking.send(await self._gateway.questions.ask(question))
        except StopIteration as end:
            told: tuple[Position, ...] | None = end.value
            return told
        except Unanswered:
            return None

    async def _close_one(self, held: Position) -> None:
        assert isinstance(self._profile, TellsPositions)  # noqa: S101 - it has told what is held
        client_id = new_client_id(self._rng)
        try:
            request = self._profile.closing(held, client_id)
        except Inexpressible as error:
            self._faults.append(f"{held} at {self.broker}: {error}")
            return
        if self._profile.understand(request).client_id:
            await self._sent(Kind.ORDER, client_id, request)
        else:
            await self._called(request)

    async def _sent(self, kind: Kind, client_id: str, request: Request) -> Order | None:
        """Send an order once, by way of the disk; None when it could not be written down, and was not sent."""
        now = self._clock.now()
        lane = self._profile.lane(request)
        ttl = max(0.0, self._until - now)
        order = new_order(kind, self.broker, client_id, lane, request, now=now, ttl=ttl, rng=self._rng)
        try:
            await self._queue.send_last(order)
        except OrderError as error:
            self._faults.append(f"{self.broker}: {error}")
            return None
        return order

    async def _called(self, request: Request) -> None:
        """For a way of closing that takes no id: what becomes of it is seen by what is held afterwards."""
        seconds = max(0.0, self._until - self._clock.now())
        call = asyncio.create_task(self._gateway.run(request, deadline_seconds=seconds))
        try:
            await asyncio.wait({call})
        finally:
            call.cancel()


def _among(held: Position, positions: Iterable[Position]) -> bool:
    """Whether some of a position is left."""
    place = (held.account, held.instrument, held.leg)
    return any((other.account, other.instrument, other.leg) == place for other in positions)


def leavings(
    queues: Sequence[OrderQueue],
    gateways: Mapping[str, Gateway],
    ledger: Ledger,
    stop: Stop,
    *,
    clock: Clock,
    rng: Random,
) -> list[Leaving]:
    """What has to be done at a stop, for each broker where something has."""
    return [
        Leaving(gateways[name], queue.profile, queue, ledger, closes=closes, clock=clock, rng=rng)
        for name, queue in ((queue.broker, queue) for queue in queues)
        if (closes := name in stop.close_positions) or stop.cancel_working_orders
    ]
