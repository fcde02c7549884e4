"""The orders of one broker that the sidecar carries: from their acceptance to their end."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Final

from sidecar.brokers.profile import Lane, Profile
from sidecar.calls.gateway import Gateway
from sidecar.clock import Clock
from sidecar.config.model import Queue
from sidecar.orders.book import Book
from sidecar.orders.carrier import Carrier
from sidecar.orders.chores import Chores
from sidecar.orders.doubts import Doubts
from sidecar.orders.intake import Intake, Taken
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Kind, Order
from sidecar.orders.outcome import Next
from sidecar.orders.pump import Pump
from sidecar.orders.recalls import Recalls
from sidecar.orders.recorder import Recorder
from sidecar.orders.room import Room
from sidecar.orders.working import Working
from sidecar.telemetry.events import Bus, OrdersRecovering
from sidecar.telemetry.state import OrdersReading
from sidecar.words import OrderState

_LOOK_SECONDS: Final = 1.0
"""Pause before the first look at an order that has just come into doubt: its call has looked already."""
_TARGET_SECONDS: Final = 2.0
"""Pause before a cancel that was found not to be executed is sent again."""
_PROGRESS_SECONDS: Final = 5.0
_FINISH_SECONDS: Final = 1.0
"""A disk that is full would be tried for ever: the next start asks the broker instead."""

_STOPPED: Final = "the sidecar stopped before its outcome was known"


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
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._chores = chores = Chores()
        self._recorder = recorder = Recorder(ledger, bus, clock)
        self._book = book = Book()
        self._carrier = Carrier(gateway, profile, recorder, deadline_seconds, clock)
        self._pump = pump = Pump(
            gateway, self._carrier, book, settings, arrive=self._arrived, bus=bus, clock=clock, rng=rng
        )
        self._doubts = Doubts(gateway, profile, settings.doubt_seconds, settle=self._settled, clock=clock)
        self._working = Working(gateway, profile, ledger, recorder, chores, clock=clock)
        self._recalls = Recalls(book, pump, recorder, chores)
        room = Room(self.broker, book, profile)
        self._intake = Intake(
            gateway,
            ledger,
            recorder,
            room,
            pump=pump,
            recalls=self._recalls,
            chores=chores,
            size=settings.size,
            bus=bus,
        )

    # Start and stop

    async def restore(self) -> None:
        """Take over what the last run left, and begin to look up what is in doubt. Raises StoreError.

        Before anybody can hand in or cancel an order: one that came in meanwhile would be taken over a second time.
        """
        await self._working.restore()
        for order in await self._ledger.open_orders(self.broker):
            self._recorder.found(order)
            self._book.add(order)
            if order.state is OrderState.QUEUED:
                self._pump.add(order)
                continue
            self._recorder.enter(order, Next(OrderState.IN_DOUBT, _STOPPED, doubtful=True))
            # What the disk knows already leads the next start to the same: nothing waits for it.
            self._chores.begin(self._recorder.save(order))
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
        self._intake.size = settings.size
        self._carrier = replace(self._carrier, deadline_seconds=deadline_seconds)
        self._pump.adopt(self._carrier, settings)
        self._doubts.doubt_seconds = settings.doubt_seconds

    def wind_down(self) -> None:
        """Take no more orders and send none on; what is under way may end."""
        self._intake.wind_down()
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

        Only after `wind_down`. Raises ConflictError, UnrecordedError or DoubtfullyRecordedError: then it was not sent.
        """
        taken = await self._intake.enter(order, OrderState.QUEUED, "sent before the stop")
        if not taken.known:
            await self._pump.carry(order)

    async def finish(self) -> None:
        """Cut short what is still under way, and write down what became of it; only after `wind_down`."""
        await self._pump.finish(_FINISH_SECONDS)
        await self._doubts.stop()
        await self._working.stop()
        await self._chores.finish(_FINISH_SECONDS)

    # Taking orders, and taking them back

    async def take(self, order: Order) -> Taken:
        """Accept an order: it is on the disk when this returns, also when the caller is cancelled meanwhile.

        Raises QueueFullError, ConflictError, UnrecordedError, DoubtfullyRecordedError or StoppingError.
        """
        return await self._intake.take(order)

    async def take_over(self, order: Order) -> Taken:
        """Follow an order that the broker has placed along with another one: it is looked up, and never sent.

        Raises ConflictError, UnrecordedError, DoubtfullyRecordedError or StoppingError.
        """
        taken = await self._intake.take_over(order)
        if not taken.known:
            self._doubts.take(order, pause=0)
        return taken

    async def caught_up(self) -> None:
        """Return when the orders that are just being taken are; a slow disk keeps nobody waiting for long."""
        await self._intake.caught_up()

    async def take_back(self, order: Order, reason: str) -> bool:
        """Cancel an order that has not been sent; tells whether that was so. Raises UnrecordedError."""
        return await self._recalls.take_back(order, reason)

    def stop_sending(self, order: Order, reason: str) -> None:
        """Let an order that is on its way go out no further time, should this one turn out not to be executed."""
        self._recalls.stop_sending(order, reason)

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
        return self._book.find(order_id) or self._working.find(order_id)

    def reading(self) -> OrdersReading:
        """How many orders are in each state, and for how long the oldest has waited."""
        now = self._clock.now()
        since = min((order.created_at for order in self._book if order.state is OrderState.QUEUED), default=now)
        counts = {state: self._recorder.counts[state] for state in OrderState if not state.final}
        return OrdersReading(self.broker, counts, max(0.0, now - since))

    # Looking at what may have changed

    def told_of(self, order: Order) -> None:
        """The broker tells by itself that something has happened to an open order."""
        self._doubts.hurry(order.id)

    async def look_again(self, order_id: str) -> bool:
        """Ask the broker how far a working order is, and record it; tells whether asking once more makes sense.

        Nothing happens where that cannot be found out.
        """
        return await self._working.look_again(order_id)

    # The end of a turn, and of a doubt

    def _arrived(self, order: Order, step: Next) -> None:
        if order.state is not step.state:  # it expired while it waited
            self._recorder.enter(order, step)
            self._chores.begin(self._end(order))
        elif order.state is OrderState.IN_DOUBT:
            self._doubts.take(order, pause=_LOOK_SECONDS)
        elif not order.state.open:
            self._forget(order)

    def _settled(self, order: Order, step: Next) -> None:
        self._recorder.enter(order, step)
        if order.state is OrderState.QUEUED:
            self._chores.begin(self._recorder.save(order))
            self._pump.add(order, pause=_TARGET_SECONDS)
        else:
            self._chores.begin(self._end(order))

    async def _end(self, order: Order) -> None:
        await self._recorder.save(order)
        self._forget(order)

    def _forget(self, order: Order) -> None:
        """The disk knows how it ended, and whoever asks is told from there."""
        self._book.remove(order)
        self._working.follow(order)
        if order.kind is Kind.CANCEL and order.state is OrderState.CANCELLED:
            self._chores.begin(self._working.look_at_target(order))
