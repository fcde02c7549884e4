"""Every step of every order: in memory, on the disk, and told to whoever listens."""

from collections import Counter
from dataclasses import replace
from typing import Final

from sidecar.clock import Clock
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Order
from sidecar.orders.outcome import Next
from sidecar.store import StoreClosedError, StoreError
from sidecar.telemetry.events import Bus, OrderStateChanged
from sidecar.words import OrderState

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15.0


class Recorder:
    """Records the steps of one broker's orders; `counts` tells how many are in each state that can still change."""

    def __init__(self, ledger: Ledger, bus: Bus, clock: Clock) -> None:
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self.counts: Counter[OrderState] = Counter()

    async def first(self, order: Order, state: OrderState, reason: str) -> Order | None:
        """Write a new order down, in the state that it has at once; where its client id is known, that one's order.

        Raises StoreError.
        """
        order.state, order.reason, order.updated_at = state, reason, self._clock.now()
        known = await self._ledger.accept(order)
        if known is None:
            self._count(None, OrderState.ACCEPTED)
            self._tell(order, None, OrderState.ACCEPTED, "")
            self._changed(order, OrderState.ACCEPTED)
        return known

    def found(self, order: Order) -> None:
        """An order was found in the state file at the start."""
        self._count(None, order.state)

    async def before(self, order: Order, step: Next) -> None:
        """Enter a step once it is on the disk. Raises StoreError; the order is as before then."""
        now, written = self._clock.now(), replace(order)
        _take(written, step, now)
        await self._ledger.change(written)
        self._enter(order, step, now)

    def enter(self, order: Order, step: Next) -> None:
        """Enter a step that is a fact, whatever the disk says; `save` follows."""
        self._enter(order, step, self._clock.now())

    async def save(self, order: Order) -> None:
        """Write an order's state down; a disk that is full is tried until it has room. Ends when the store is closed.

        Until then the disk knows of an earlier state, after which a restart asks the broker: nothing is lost by it.
        """
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._ledger.change(order)
            except StoreClosedError:
                return None
            except StoreError:
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def enter_and_save(self, order: Order, step: Next) -> None:
        """Both: return when the state is on the disk."""
        self.enter(order, step)
        await self.save(order)

    def _enter(self, order: Order, step: Next, now: float) -> None:
        was = order.state
        _take(order, step, now)
        self._changed(order, was)

    def _changed(self, order: Order, was: OrderState) -> None:
        self._count(was, order.state)
        self._tell(order, was, order.state, order.reason)

    def _tell(self, order: Order, was: OrderState | None, state: OrderState, reason: str) -> None:
        age = max(0.0, self._clock.now() - order.created_at)
        may = order.may_have_been_executed
        change = (was, state, reason, age, may)
        self._bus.emit(
            OrderStateChanged(order.broker, order.id, order.client_id, order.kind, order.lane.instrument, *change)
        )

    def _count(self, was: OrderState | None, state: OrderState) -> None:
        if was is not None and not was.final:
            self.counts[was] -= 1
        if not state.final:
            self.counts[state] += 1


def _take(order: Order, step: Next, now: float) -> None:
    order.state, order.reason, order.updated_at = step.state, step.reason, now
    order.broker_order_id = step.broker_order_id or order.broker_order_id
    order.answer = step.answer or order.answer
    order.filled = order.filled if step.filled is None else step.filled
    order.may_have_been_executed = step.doubtful
