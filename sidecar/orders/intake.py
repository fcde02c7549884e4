"""How orders come into one broker's queue: once each, and on the disk before anybody is told so."""

import asyncio
from dataclasses import dataclass
from typing import Final

from sidecar.calls.gateway import Gateway
from sidecar.orders.chores import Chores
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    OrderError,
    QueueFullError,
    StoppingError,
    UnrecordedError,
)
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind, Order
from sidecar.orders.pump import Pump
from sidecar.orders.recalls import Recalls
from sidecar.orders.recorder import Recorder
from sidecar.orders.room import Room
from sidecar.store import StoreBusyError, StoreError, StoreFullError
from sidecar.telemetry.events import Bus, OrderRefused
from sidecar.words import OrderState

_CATCH_UP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Taken:
    """An order that is in good hands."""

    order: Order
    known: bool
    """Whether the very same order had come before: nothing was added."""


class Intake:
    """Takes orders, and lets them wait for their turn."""

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        recorder: Recorder,
        room: Room,
        *,
        pump: Pump,
        recalls: Recalls,
        chores: Chores,
        size: int,
        bus: Bus,
    ) -> None:
        """`size`: how many orders there may be that reduce no risk."""
        self._gateway = gateway
        self._ledger = ledger
        self._recorder = recorder
        self._room = room
        self._book = room.book
        self._pump = pump
        self._recalls = recalls
        self._chores = chores
        self.size = size
        """May be replaced at any time."""
        self._bus = bus
        self._takes: set[asyncio.Task[Taken]] = set()
        self._stopping = False

    def wind_down(self) -> None:
        """Take no more orders."""
        self._stopping = True

    async def take(self, order: Order) -> Taken:
        """Accept an order: it is on the disk when this returns, also when the caller is cancelled meanwhile.

        Raises QueueFullError, ConflictError, UnrecordedError, DoubtfullyRecordedError or StoppingError.
        """
        take = self._chores.begin(self._take(order))
        self._takes.add(take)
        take.add_done_callback(self._takes.discard)
        return await asyncio.shield(take)

    async def take_over(self, order: Order) -> Taken:
        """Accept an order that the broker has placed along with another one. Raises as `take` does."""
        if self._stopping:
            raise StoppingError("not taken over: the sidecar is being stopped")
        # A restart asks the broker about an order that is on its way, as it is done here.
        return await self.enter(order, OrderState.SENDING, "the broker places it, along with another one")

    async def enter(self, order: Order, state: OrderState, reason: str) -> Taken:
        """Write an order and what it is at once down, and enter it where it is open; one that came before is told.

        Raises ConflictError, UnrecordedError or DoubtfullyRecordedError.
        """
        try:
            known = await self._recorder.first(order, state, reason)
        except (StoreFullError, StoreBusyError) as error:
            words = "not taken: the state file does not take it; make room on its disk, see the log"
            raise UnrecordedError(words) from error
        except StoreError as error:
            raise DoubtfullyRecordedError(
                "perhaps taken: the state file failed while it was written; ask for its client id before it is sent "
                "again, see the log"
            ) from error
        if known is not None:
            return self._known(order, known)
        if order.state.open:
            self._book.add(order)
        return Taken(order, known=False)

    async def caught_up(self) -> None:
        """Return when the orders that are just being taken are; a slow disk keeps nobody waiting for long."""
        if self._takes:
            await asyncio.wait(self._takes, timeout=_CATCH_UP_SECONDS)

    async def _take(self, order: Order) -> Taken:
        try:
            return await self._new_or_known(order)
        except OrderError as error:
            self._bus.emit(OrderRefused(order.broker, error.reason))
            raise

    async def _new_or_known(self, order: Order) -> Taken:
        try:
            return await self._new(order)
        except (QueueFullError, StoppingError, UnrecordedError):
            # A bot that lost the answer to the first time sends it once more: that it is not taken would be a lie.
            known = await self._taken_before(order)
            if known is None:
                raise
            return self._known(order, known)

    async def _new(self, order: Order) -> Taken:
        if self._stopping:
            raise StoppingError("not taken: the sidecar is being stopped")
        if (same := self._book.same_cancel(order)) is not None:
            return Taken(same, known=True)
        self._room.check(order, len(self._takes), self.size)
        taken = await self.enter(order, *await self._beginning(order))
        if not taken.known and order.state is OrderState.QUEUED:
            self._pump.add(order)
        return taken

    async def _beginning(self, order: Order) -> tuple[OrderState, str]:
        target = self._book.target(order)
        if target is not None and await self._recalls.take_back(target, "cancelled before it was sent"):
            return OrderState.CANCELLED, "its order had not been sent, and will not be"
        if not self._gateway.can_trade:
            return OrderState.QUEUED, "waits for the broker"
        if not self._gateway.allows(order.request, protects=order.urgent):
            return OrderState.QUEUED, "waits until the broker's degradation level allows new risk"
        return OrderState.QUEUED, "waits for its turn"

    async def _taken_before(self, order: Order) -> Order | None:
        if order.kind is Kind.CANCEL:
            return None
        mine = (order.broker,)
        try:
            found = await self._ledger.select(Wanted(mine, client_ids=(order.client_id,)))
            if not found and order.key:
                found = await self._ledger.select(Wanted(mine, keys=(order.key,)))
        except StoreError as error:
            raise DoubtfullyRecordedError(
                "perhaps taken, if it came before: the state file cannot be read; ask for its client id before it is "
                "sent under another, see the log"
            ) from error
        return found[0] if found else None

    def _known(self, order: Order, known: Order) -> Taken:
        essence = self._room.profile.essence
        if essence(known.request) != essence(order.request) or known.guard != order.guard:
            what = "client id" if known.client_id == order.client_id else "Idempotency-Key"
            raise ConflictError(f"not taken: its {what} belongs to another order, {known.id}; use a new one")
        return Taken(self._book.find(known.id) or known, known=True)
