"""Sends the orders of one broker on: in their turn, at a bounded rate, and not while it is away."""

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Final

from sidecar.brokers.profile import Lane
from sidecar.calls.gateway import Gateway
from sidecar.clock import Cancellable, Clock
from sidecar.config.model import Queue
from sidecar.orders.book import Book
from sidecar.orders.carrier import Carrier
from sidecar.orders.lanes import Lanes
from sidecar.orders.order import Kind, Order
from sidecar.orders.outcome import Next
from sidecar.orders.pace import Pace
from sidecar.telemetry.events import (
    BreakerTransition,
    BrokerChecked,
    BrokerStateChanged,
    Bus,
    DegradationChanged,
    GateOpened,
    LimitReset,
)
from sidecar.words import OrderState

FIRST_BACKOFF_SECONDS: Final = 1.0
LONGEST_BACKOFF_SECONDS: Final = 30.0
_JITTER: Final = (0.7, 1.3)
_STUMBLE_SECONDS: Final = 1.0

_log = logging.getLogger("sidecar.orders")

Arrive = Callable[[Order, Next], None]


class Pump:
    """Takes orders out of their lanes, one turn each; `arrive` is called with the step that a turn ended with."""

    def __init__(
        self,
        gateway: Gateway,
        carrier: Carrier,
        book: Book,
        settings: Queue,
        *,
        arrive: Arrive,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._gateway = gateway
        self._carrier = carrier
        self._book = book
        self._settings = settings
        self._arrive = arrive
        self._clock = clock
        self._rng = rng
        self._lanes = Lanes()
        self._pace = Pace(settings.drain_per_second, settings.concurrency, clock)
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        """Cancels that wait before they are tried again: monotonic seconds by order id."""
        self._resting: dict[Lane, Cancellable] = {}
        """What ends the pause of a lane whose first order is tried again."""
        self._hold_until = float("-inf")
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        bus.subscribe(BreakerTransition, self._hear)
        bus.subscribe(BrokerStateChanged, self._hear)
        bus.subscribe(DegradationChanged, self._hear)
        bus.subscribe(GateOpened, self._hear)
        bus.subscribe(LimitReset, self._hear)
        bus.subscribe(BrokerChecked, self._hear)

    def adopt(self, carrier: Carrier, settings: Queue) -> None:
        """Go by other settings from the next turn on."""
        self._carrier, self._settings = carrier, settings
        self._pace.adopt(settings.drain_per_second, settings.concurrency)
        self._wake.set()

    def start(self) -> None:
        """Begin to send orders on."""
        self._running = asyncio.create_task(self._run(), name=f"orders for {self._gateway.name}")

    def stop(self) -> None:
        """Send no more orders on; what is under way may end."""
        if self._running is not None:
            self._running.cancel()

    async def finish(self, seconds: float) -> None:
        """Cut short what is still under way, so that it is written down what became of it; only after `stop`."""
        for turn in self._turns.values():
            turn.cancel()
        if self._turns:
            await asyncio.wait(self._turns.values(), timeout=seconds)

    async def rest(self, seconds: float) -> None:
        """Return when nothing is under way, or after `seconds`; only after `stop`."""
        if self._turns:
            await asyncio.wait(self._turns.values(), timeout=seconds)

    async def carry(self, order: Order) -> None:
        """Give an order its turn now and return when that has ended; only after `stop`."""
        turn = self._turns[order.id] = asyncio.create_task(self._turn(order), name=f"order {order.id}")
        await asyncio.wait({turn})

    def add(self, order: Order, *, pause: float = 0.0) -> None:
        """Let an order wait for its turn; a cancel for `pause` seconds at least."""
        if pause:
            self._not_before[order.id] = self._clock.monotonic() + pause
        self._book.watch(order)
        self._lanes.add(order)
        if order.urgent and order.lane in self._resting:
            self._release(order.lane)
        self._wake.set()

    def restore(self, order: Order) -> None:
        """Let an order that was to be taken back wait on."""
        self._book.watch(order)
        self._lanes.restore(order)
        self._wake.set()

    def discard(self, order: Order) -> None:
        """Forget an order that was taken back; a cancel may have waited for that."""
        self._lanes.discard(order)
        self._wake.set()

    def has(self, order: Order) -> bool:
        """Whether an order's turn has come: it may be on its way."""
        return order.id in self._turns

    # Whose turn it is

    def _hear(
        self,
        event: BreakerTransition | BrokerChecked | BrokerStateChanged | DegradationChanged | GateOpened | LimitReset,
    ) -> None:
        if event.broker == self._gateway.name:
            self._hold_until = float("-inf")
            self._not_before.clear()
            self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
            except Exception as failure:  # noqa: BLE001 - a fault here would stop every order for good
                _log.error("sending orders on to %s stumbled: %s", self._gateway.name, type(failure).__name__)
                await self._clock.sleep(_STUMBLE_SECONDS)

    async def _round(self) -> None:
        self._wake.clear()
        self._expire()
        while (order := self._next()) is not None:
            self._turns[order.id] = asyncio.create_task(self._turn(order), name=f"order {order.id}")
        alarm = self._alarm()
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    def _expire(self) -> None:
        now = self._clock.now()
        for order in self._book.expired(now):
            # One whose turn has come is stopped on its way, if it is not sent in time.
            if order.waits and order.id not in self._turns:
                self._not_before.pop(order.id, None)
                done = "executed" if order.attempts else "sent"
                words = f"not {done}: it could not be for {now - order.created_at:.0f} s; {order.reason}"
                self._arrive(order, Next(OrderState.EXPIRED, words))

    def _next(self) -> Order | None:
        if len(self._turns) >= self._settings.concurrency:
            return None
        cancel = self._lanes.take_cancel(self._may_go)
        if cancel is not None:
            target = self._book.target(cancel)
            if target is not None and target.waits:
                target.recalled = "cancelled before it was executed"  # at once, so that it is not sent meanwhile
            return cancel
        if not self._reachable() or self._clock.monotonic() < self._hold_until or self._pace.wait() > 0:
            return None
        order = self._lanes.take_order(lambda order: self._gateway.allows(order.request, protects=order.urgent))
        if order is not None:
            self._pace.take()
        return order

    def _reachable(self) -> bool:
        # A broker that nothing else looks at is looked at by the order that waits.
        return self._gateway.can_trade or (not self._gateway.can_look and self._gateway.opens_in <= 0)

    def _may_go(self, cancel: Order) -> bool:
        target = self._book.target(cancel)
        moving = target is not None and (target.id in self._turns or bool(target.recalled))
        return not moving and self._clock.monotonic() >= self._not_before.get(cancel.id, float("-inf"))

    def _alarm(self) -> Cancellable:
        """Wake up when something may have become possible without an event."""
        now = self._clock.monotonic()
        moments = [now + LONGEST_BACKOFF_SECONDS, now + self._gateway.opens_in, self._hold_until]
        moments += [now + self._pace.wait(), *self._not_before.values()]
        if self._book.next_expiry is not None:
            moments.append(now + self._book.next_expiry - self._clock.now())
        return self._clock.call_later(min(moment for moment in moments if moment > now) - now, self._wake.set)

    # One turn

    async def _turn(self, order: Order) -> None:
        step: Next | None = None
        try:
            step = await self._kept_from_going(order) or await self._carrier.carry(order)
        except Exception as failure:  # noqa: BLE001 - whatever broke: an order is never forgotten
            _log.error("order %s failed inside the sidecar: %s", order.id, type(failure).__name__)
            step = Next(OrderState.IN_DOUBT, "the sidecar failed on it", transmitted=True, doubtful=True)
        finally:
            if step is None:  # cut short: what is on the disk tells the next start what to do
                del self._turns[order.id]
        order.attempts += step.transmitted
        step = self._bounded(order, step)
        await self._carrier.recorder.enter_and_save(order, step)
        del self._turns[order.id]
        self._not_before.pop(order.id, None)
        self._make_way(order, step)
        self._arrive(order, step)
        self._wake.set()

    async def _kept_from_going(self, cancel: Order) -> Next | None:
        """The end of a cancel whose order came back unexecuted, and is not sent again; None for everything else."""
        target = self._book.target(cancel)
        if target is None or target.state is not OrderState.QUEUED:
            return None
        step = Next(OrderState.CANCELLED, target.recalled)
        # The cancel is on the disk: whatever happens now, the next start comes to the same end.
        await self._carrier.recorder.enter_and_save(target, step)
        self._lanes.discard(target)
        self._arrive(target, step)
        return Next(OrderState.CANCELLED, "its order had not been executed, and will not be")

    def _bounded(self, order: Order, step: Next) -> Next:
        target = self._book.target(order)
        if step.state is OrderState.REJECTED and target is not None and target.state is OrderState.IN_DOUBT:
            # That the order is not found proves nothing yet: the cancel has to outlast the doubt.
            return Next(OrderState.QUEUED, f"its order is in doubt itself; {step.reason}", transmitted=True)
        if step.state is not OrderState.QUEUED:
            return step
        if order.recalled:
            return Next(OrderState.CANCELLED, order.recalled)
        # A cancel is tried as long as it is wanted: the order that it is for may be filled at any time.
        if order.kind is Kind.CANCEL or order.attempts < self._settings.attempts:
            return step
        words = f"given up after {order.attempts} attempts, none of which was executed; {step.reason}"
        return Next(OrderState.DEAD, words)

    def _make_way(self, order: Order, step: Next) -> None:
        """Let the next order of the lane follow, or this one again after a pause."""
        if order.state is not OrderState.QUEUED:
            if order.kind is Kind.ORDER:
                self._lanes.release(order.lane)
            return
        pause = step.hold or self._backoff(order)
        self._book.watch(order)
        self._lanes.put_back(order)
        if order.kind is Kind.CANCEL:
            self._not_before[order.id] = self._clock.monotonic() + pause
        elif step.hold:
            self._hold_until = self._clock.monotonic() + step.hold
            self._lanes.release(order.lane)
        else:
            self._resting[order.lane] = self._clock.call_later(pause, lambda: self._release(order.lane))

    def _backoff(self, order: Order) -> float:
        doubled = FIRST_BACKOFF_SECONDS * 2.0 ** min(max(order.attempts - 1, 0), 10)
        return min(doubled, LONGEST_BACKOFF_SECONDS) * self._rng.uniform(*_JITTER)

    def _release(self, lane: Lane) -> None:
        self._resting.pop(lane).cancel()
        self._lanes.release(lane)
        self._wake.set()
