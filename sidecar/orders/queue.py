"""The orders of one broker that the sidecar carries: taken, accounted for, taken back."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from sidecar.brokers.profile import Lane, Profile
from sidecar.calls.asking import Unanswered
from sidecar.calls.gateway import Gateway
from sidecar.calls.questions import LookupImpossible
from sidecar.clock import Clock
from sidecar.config.model import Queue
from sidecar.orders.book import Book
from sidecar.orders.carrier import Carrier
from sidecar.orders.doubts import Doubts
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    OrderError,
    QueueFullError,
    StoppingError,
    UnrecordedError,
)
from sidecar.orders.fleeting import Fleeting
from sidecar.orders.ledger import Ledger, Wanted
from sidecar.orders.order import Kind, Order
from sidecar.orders.outcome import Next, found_progress
from sidecar.orders.pump import Pump
from sidecar.orders.recorder import Recorder
from sidecar.orders.room import Room
from sidecar.store import StoreBusyError, StoreError, StoreFullError
from sidecar.telemetry.events import Bus, OrderRefused, OrdersRecovering
from sidecar.telemetry.state import OrdersReading
from sidecar.words import OrderState

_LOOK_SECONDS: Final = 1.0
"""Pause before the first look at an order that has just come into doubt: its call has looked already."""
_TARGET_SECONDS: Final = 2.0
"""Pause before a cancel that was found not to be executed is sent again."""
_PROGRESS_SECONDS: Final = 5.0
_MOST_FOLLOWED: Final = 1000
"""Working orders that a restart looks through for those at the market."""
_CATCH_UP_SECONDS: Final = 2.0
_FINISH_SECONDS: Final = 1.0
"""A disk that is full would be tried for ever: the next start asks the broker instead."""

_STOPPED: Final = "the sidecar stopped before its outcome was known"

_log = logging.getLogger("sidecar.orders")


@dataclass(frozen=True, slots=True)
class Taken:
    """An order that is in good hands."""

    order: Order
    known: bool
    """Whether the very same order had come before: nothing was added."""


class OrderQueue:
    """Takes, sends on and accounts for one broker's orders."""

    def __init__(
        self,
        gateway: Gateway,
        profile: Profile,
        ledger: Ledger,
        settings: Queue,
        *,
        deadline_seconds: float,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`deadline_seconds`: longest time that the call of one order may take."""
        self.broker = gateway.name
        self.profile = profile
        self.settings = settings
        self._gateway = gateway
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._recorder = Recorder(ledger, bus, clock)
        self._book = Book()
        self._room = Room(self.broker, self._book, profile)
        self._carrier = carrier = Carrier(gateway, profile, self._recorder, deadline_seconds, clock)
        self._pump = Pump(gateway, carrier, self._book, settings, arrive=self._arrived, bus=bus, clock=clock, rng=rng)
        self._doubts = Doubts(gateway, profile, settings.doubt_seconds, settle=self._settled, clock=clock)
        self._fleeting = Fleeting(self.look_again, clock)
        self._takes: set[asyncio.Task[Any]] = set()
        self._recalls: dict[str, asyncio.Task[bool]] = {}
        self._chores: set[asyncio.Task[Any]] = set()
        self._looks: dict[str, asyncio.Task[bool]] = {}
        self._unsaved: dict[str, Order] = {}
        """What a look has told and the disk is about to know."""
        self._stopping = False

    # Start and stop

    async def restore(self) -> None:
        """Take over what the last run left, and begin to look up what is in doubt. Raises StoreError.

        Before anybody can hand in or cancel an order: one that came in meanwhile would be taken over a second time.
        """
        self._recorder.counts[OrderState.WORKING] = await self._ledger.working(self.broker)
        wanted = Wanted(brokers=(self.broker,), states=(OrderState.WORKING,), most=_MOST_FOLLOWED)
        for order in await self._ledger.select(wanted):
            self._follow(order)
        for order in await self._ledger.open_orders(self.broker):
            self._recorder.found(order)
            self._book.add(order)
            if order.state is OrderState.QUEUED:
                self._pump.add(order)
                continue
            self._recorder.enter(order, Next(OrderState.IN_DOUBT, _STOPPED, doubtful=True))
            # What the disk knows already leads the next start to the same: nothing waits for it.
            self._chore(self._recorder.save(order))
            self._doubts.take(order, pause=0)

    async def recover(self, seconds: float) -> None:
        """Wait until what was restored in doubt has been looked up, for at most `seconds`."""
        total = len(self._doubts)
        if not total:
            return
        ends = self._clock.monotonic() + seconds
        settled = asyncio.create_task(self._doubts.settled())
        try:
            while not settled.done() and (left := ends - self._clock.monotonic()) > 0:
                self._bus.emit(OrdersRecovering(self.broker, len(self._doubts), total))
                await asyncio.wait({settled}, timeout=min(_PROGRESS_SECONDS, left))
        finally:
            settled.cancel()
        self._bus.emit(OrdersRecovering(self.broker, len(self._doubts), total))

    def start(self) -> None:
        """Begin to send orders on."""
        self._pump.start()

    def adopt(self, settings: Queue, deadline_seconds: float) -> None:
        """Go by other settings from the next order on; those that wait keep the time that they were given."""
        self.settings = settings
        self._carrier = replace(self._carrier, deadline_seconds=deadline_seconds)
        self._pump.adopt(self._carrier, settings)
        self._doubts.doubt_seconds = settings.doubt_seconds

    def wind_down(self) -> None:
        """Take no more orders and send none on; what is under way may end."""
        self._stopping = True
        self._pump.stop()

    async def clear(self, reason: str) -> None:
        """Take back every order that has not been sent; only after `wind_down`. One that cannot be is kept as it is."""
        waiting = self._book.waiting(Lane("", ""))
        await asyncio.gather(*(self.take_back(order, reason) for order in waiting), return_exceptions=True)

    async def rest(self, seconds: float) -> None:
        """Return when no order is on its way any more, or after `seconds`; only after `wind_down`."""
        await self._pump.rest(seconds)

    async def send_last(self, order: Order) -> None:
        """Write an order of the sidecar's own down, send it once, and return when its turn has ended.

        Only after `wind_down`. Raises UnrecordedError or DoubtfullyRecordedError: then it was not sent.
        """
        order.state, order.reason, order.updated_at = OrderState.QUEUED, "sent before the stop", self._clock.now()
        if await self._recorded(order) is None:
            self._book.add(order)
            await self._pump.carry(order)

    async def finish(self) -> None:
        """Cut short what is still under way, and write down what became of it; only after `wind_down`."""
        await self._pump.finish(_FINISH_SECONDS)
        await self._doubts.stop()
        await self._fleeting.stop()
        if self._chores:
            await asyncio.wait(self._chores, timeout=_FINISH_SECONDS)
        for chore in self._chores:
            chore.cancel()

    # Taking orders, and taking them back

    async def take(self, order: Order) -> Taken:
        """Accept an order: it is on the disk when this returns, also when the caller is cancelled meanwhile.

        Raises QueueFullError, ConflictError, UnrecordedError, DoubtfullyRecordedError or StoppingError.
        """
        take = self._chore(self._take(order))
        self._takes.add(take)
        take.add_done_callback(self._takes.discard)
        return await asyncio.shield(take)

    async def take_over(self, order: Order) -> Taken:
        """Follow an order that the broker has placed along with another one: it is looked up, and never sent.

        Raises ConflictError, UnrecordedError, DoubtfullyRecordedError or StoppingError.
        """
        if self._stopping:
            raise StoppingError("not taken over: the sidecar is being stopped")
        # A restart asks the broker about an order that is on its way, as it is done here.
        order.state, order.reason = OrderState.SENDING, "the broker places it, along with another one"
        order.updated_at = self._clock.now()
        known = await self._recorded(order)
        if known is not None:
            return self._known(order, known)
        self._book.add(order)
        self._doubts.take(order, pause=0)
        return Taken(order, known=False)

    async def caught_up(self) -> None:
        """Return when the orders that are just being taken are; a slow disk keeps nobody waiting for long."""
        if self._takes:
            await asyncio.wait(self._takes, timeout=_CATCH_UP_SECONDS)

    async def _take(self, order: Order) -> Taken:
        try:
            return await self._written_or_known(order)
        except OrderError as error:
            self._bus.emit(OrderRefused(self.broker, error.reason))
            raise

    async def _written_or_known(self, order: Order) -> Taken:
        try:
            return await self._written(order)
        except (QueueFullError, StoppingError, UnrecordedError):
            # A bot that lost the answer to the first time sends it once more: that it is not taken would be a lie.
            known = await self._taken_before(order)
            if known is None:
                raise
            return self._known(order, known)

    async def _taken_before(self, order: Order) -> Order | None:
        if order.kind is Kind.CANCEL:
            return None
        mine = (self.broker,)
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

    async def _written(self, order: Order) -> Taken:
        if self._stopping:
            raise StoppingError("not taken: the sidecar is being stopped")
        if (same := self._book.same_cancel(order)) is not None:
            return Taken(same, known=True)
        self._room.check(order, len(self._takes), self.settings.size)
        order.state, order.reason = await self._beginning(order)
        order.updated_at = self._clock.now()
        known = await self._recorded(order)
        if known is not None:
            return self._known(order, known)
        if order.state is OrderState.QUEUED:
            self._book.add(order)
            self._pump.add(order)
        return Taken(order, known=False)

    async def _recorded(self, order: Order) -> Order | None:
        try:
            return await self._recorder.first(order)
        except (StoreFullError, StoreBusyError) as error:
            words = "not taken: the state file does not take it; make room on its disk, see the log"
            raise UnrecordedError(words) from error
        except StoreError as error:
            raise DoubtfullyRecordedError(
                "perhaps taken: the state file failed while it was written; ask for its client id before it is sent "
                "again, see the log"
            ) from error

    async def _beginning(self, order: Order) -> tuple[OrderState, str]:
        target = self._book.target(order)
        if target is not None and await self.take_back(target, "cancelled before it was sent"):
            return OrderState.CANCELLED, "its order had not been sent, and will not be"
        if not self._gateway.can_trade:
            return OrderState.QUEUED, "waits for the broker"
        if not self._gateway.allows(order.request, protects=order.urgent):
            return OrderState.QUEUED, "waits until the broker's degradation level allows new risk"
        return OrderState.QUEUED, "waits for its turn"

    def _known(self, order: Order, known: Order) -> Taken:
        essence = self.profile.essence
        if essence(known.request) != essence(order.request) or known.guard != order.guard:
            what = "client id" if known.client_id == order.client_id else "Idempotency-Key"
            raise ConflictError(f"not taken: its {what} belongs to another order, {known.id}; use a new one")
        return Taken(self._book.find(known.id) or known, known=True)

    async def take_back(self, order: Order, reason: str) -> bool:
        """Cancel an order that has not been sent; tells whether that was so. Raises UnrecordedError."""
        recall = self._recalls.get(order.id)
        if recall is None:
            if not order.waits or self._pump.has(order) or self._book.find(order.id) is not order:
                return False
            order.recalled = reason  # at once, so that it is not sent meanwhile
            recall = self._recalls[order.id] = self._chore(self._taken_back(order))
            recall.add_done_callback(lambda _: self._recalls.pop(order.id, None))
        return await asyncio.shield(recall)

    async def _taken_back(self, order: Order) -> bool:
        reason = order.recalled
        try:
            await self._ledger.change(
                replace(order, state=OrderState.CANCELLED, reason=reason, updated_at=self._clock.now())
            )
        except StoreError as error:
            order.recalled = ""
            self._pump.restore(order)
            words = "not cancelled: the state file does not take it, and the order still waits to be sent"
            raise UnrecordedError(words) from error
        self._recorder.enter(order, Next(OrderState.CANCELLED, reason))
        self._book.remove(order)
        self._pump.discard(order)
        return True

    def stop_sending(self, order: Order, reason: str) -> None:
        """Let an order that is on its way go out no further time, should this one turn out not to be executed."""
        if self._pump.has(order):
            order.recalled = reason

    # What can be read

    def __len__(self) -> int:
        return len(self._book)

    def of_client_id(self, client_id: str) -> Order | None:
        """The open order with this client id."""
        return self._book.of_client_id(client_id)

    def waiting(self, lane: Lane) -> list[Order]:
        """The orders of an account and instrument that wait; an empty name stands for any."""
        return self._book.waiting(lane)

    def find(self, order_id: str) -> Order | None:
        """An order that is open, as it is now; or one of which more is known than the disk knows."""
        return self._book.find(order_id) or self._unsaved.get(order_id)

    def told_of(self, order: Order) -> None:
        """The broker tells by itself that something has happened to an open order."""
        self._doubts.hurry(order.id)

    async def look_again(self, order_id: str) -> bool:
        """Ask the broker how far a working order is, and record it; tells whether asking once more makes sense.

        Nothing happens where that cannot be found out.
        """
        look = self._looks.get(order_id)
        if look is None:
            look = self._looks[order_id] = self._chore(self._look_again(order_id))
            look.add_done_callback(lambda _: self._looks.pop(order_id, None))
        return await asyncio.shield(look)

    async def _look_again(self, order_id: str) -> bool:
        order = await self._ledger.find(order_id)
        if order is None or order.state is not OrderState.WORKING:
            return False
        try:
            found = await self._gateway.questions.look_up(
                order.request,
                placed_at=order.created_at,
                number=1,
                order_id=order.broker_order_id,
                routine=not self._gateway.questions.tells_of_orders,  # after a stream's word: what is, not what was
            )
        except Unanswered:
            return True
        except LookupImpossible:
            return False
        told = None if found is None else found_progress(order, found, self.profile)
        if told is not None and found is not None and (told.state, told.detail) != (order.state, order.reason):
            step = Next(told.state, told.detail, told.broker_order_id, found.answer, filled=told.filled)
            self._unsaved[order_id] = order
            try:
                await self._recorder.enter_and_save(order, step)
            finally:
                del self._unsaved[order_id]
        return not order.state.final

    def _follow(self, order: Order) -> None:
        """An order at the market ends by itself, and soon, whether anybody asks for it or not."""
        if order.kind is Kind.ORDER and order.state is OrderState.WORKING and self.profile.at_market(order.request):
            self._fleeting.take(order.id)

    def reading(self) -> OrdersReading:
        """How many orders are in each state, and for how long the oldest has waited."""
        now = self._clock.now()
        since = min((order.created_at for order in self._book if order.state is OrderState.QUEUED), default=now)
        counts = {state: self._recorder.counts[state] for state in OrderState if not state.final}
        return OrdersReading(self.broker, counts, max(0.0, now - since))

    # The end of a turn, and of a doubt

    def _arrived(self, order: Order, step: Next) -> None:
        if order.state is not step.state:  # it expired while it waited
            self._recorder.enter(order, step)
            self._chore(self._end(order))
        elif order.state is OrderState.IN_DOUBT:
            self._doubts.take(order, pause=_LOOK_SECONDS)
        elif not order.state.open:
            self._forget(order)

    def _settled(self, order: Order, step: Next) -> None:
        self._recorder.enter(order, step)
        if order.state is OrderState.QUEUED:
            self._chore(self._recorder.save(order))
            self._pump.add(order, pause=_TARGET_SECONDS)
        else:
            self._chore(self._end(order))

    async def _end(self, order: Order) -> None:
        await self._recorder.save(order)
        self._forget(order)

    def _forget(self, order: Order) -> None:
        """The disk knows how it ended, and whoever asks is told from there."""
        self._book.remove(order)
        self._follow(order)
        if order.kind is Kind.CANCEL and order.state is OrderState.CANCELLED:
            self._chore(self._look_at_target(order))

    async def _look_at_target(self, cancel: Order) -> None:
        """A cancel that did its work ended another order: learn how."""
        with suppress(StoreError):
            wanted = Wanted(brokers=(self.broker,), client_ids=(cancel.client_id,))
            for target in await self._ledger.select(wanted):
                await self.look_again(target.id)

    def _chore(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        chore = asyncio.create_task(work)
        self._chores.add(chore)
        chore.add_done_callback(self._done)
        return chore

    def _done(self, chore: "asyncio.Task[Any]") -> None:
        self._chores.discard(chore)
        failure = None if chore.cancelled() else chore.exception()
        if failure is not None and not isinstance(failure, OrderError):
            _log.error("a chore of the order queue failed: %s", type(failure).__name__)
