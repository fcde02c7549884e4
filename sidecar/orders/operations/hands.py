"""What an operation does: hands its orders in, asks how they are, and takes them back, all through the order desk."""

from dataclasses import dataclass
from typing import Final

from sidecar.brokers.groups import Link
from sidecar.clock import Clock
from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import (
    ConflictError,
    OrderError,
    StoppingError,
    UnknownOrderError,
    UnnumberedError,
    UnsupportedError,
)
from sidecar.orders.intake import Taken
from sidecar.orders.ledger import Wanted
from sidecar.orders.operations.companions import bring
from sidecar.orders.operations.model import NOTHING, Leg, Operation, Role
from sidecar.orders.order import Order
from sidecar.words import OrderState

SETTLING_SECONDS: Final = 60.0
"""A broker that has said that an order is cancelled is believed after so long, though it shows the order as open."""
_OPENING: Final = frozenset({Role.ENTRY, Role.FIRST, Role.SECOND, Role.CLOSE})
"""What must not be sent long after it was asked for."""
_BOOKED: Final = frozenset({OrderState.WORKING, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED})
_URGENT: Final = frozenset({Role.STOP, Role.FLATTEN, Role.RESTORE})
"""What an open position waits for."""
_UNDOING: Final = frozenset({Role.FLATTEN, Role.RESTORE})


@dataclass(frozen=True, slots=True)
class Hands:
    """Acts for the operations of all brokers. It changes the legs that it is given, and writes nothing down itself."""

    desk: OrderDesk
    clock: Clock

    async def hand_in(self, operation: Operation, leg: Leg, *, fresh: bool) -> bool:
        """Hand in an order that was planned, or find it again; False when it never was and is not wanted any more.

        What the queue does not take now stays planned. Raises StoppingError, StoreError.
        """
        if leg.terms is None:
            return True
        if leg.comes_with:
            return await bring(self, operation, leg)
        stale = leg.role in _OPENING and not fresh
        undone = bool(operation.record.unwinding) and leg.role not in _UNDOING and not _takes_over(operation, leg)
        if stale or undone:
            wanted = Wanted(brokers=(operation.broker,), client_ids=(leg.terms.client_id,))
            found = await self.desk.select(wanted)
            if not found:
                return False
            self.handed_in(leg, found[0])
            return True
        try:
            taken = await self._place(operation, leg, leg.terms)
        except StoppingError:
            raise
        except (UnsupportedError, ConflictError) as error:
            leg.state, leg.reason, leg.ended_at = OrderState.REJECTED, str(error), self.clock.now()
        except OrderError as error:
            leg.reason = str(error)
        else:
            self.handed_in(leg, taken.order)
        return True

    async def _place(self, operation: Operation, leg: Leg, terms: OrderDraft) -> Taken:
        trace, urgent = operation.record.traceparent.encode() or None, leg.role in _URGENT
        if leg.link is None:
            return await self.desk.place(terms, trace, urgent=urgent, watched=True)
        companions = [other.terms for other in operation.companions(leg) if other.terms is not None]
        return await self.desk.place_group(terms, companions, leg.link, trace, urgent=urgent)

    async def follow(self, leg: Leg, *, look: bool) -> None:
        """Learn how an order is; with a `look`, by asking the broker. Raises StoreError."""
        order = await self._order(leg)
        if order is not None and order.state is OrderState.WORKING and look:
            await self.desk.look_again(order.id)
            order = await self._order(leg)
        if order is not None:
            self.absorb(leg, order)

    def told(self, operation: Operation) -> bool:
        """Whether the broker itself tells, now, what happens to all of its orders."""
        accounts = {"" if leg.terms is None else leg.terms.account for leg in operation.record.legs if leg.open}
        return all(self.desk.follows(operation.broker, account) for account in accounts)

    async def follow_cancel(self, leg: Leg) -> None:
        """Learn how the cancel of an order is. Raises StoreError."""
        try:
            order = (await self.desk.account(leg.cancel_id)).order
        except UnknownOrderError:
            order = None
        if order is not None and order.state.open:
            return
        leg.cancel_id, leg.cancelled_at = "", self.clock.now()
        if order is not None and order.state is OrderState.CANCELLED:
            leg.taken_back = True
            leg.filled = max(leg.filled, order.filled or NOTHING)

    async def cancel(self, leg: Leg, traceparent: bytes | None) -> None:
        """Take an order back. Raises StoppingError, StoreError."""
        try:
            carrier = await self.desk.cancel(leg.order_id, traceparent)
        except StoppingError:
            raise
        except UnnumberedError as error:  # no attempt: it will be known what to cancel, or that there is nothing
            leg.cancels -= 1
            leg.cancelled_at, leg.reason = self.clock.now(), str(error)
            return
        except OrderError as error:
            leg.cancelled_at, leg.reason = self.clock.now(), str(error)
            return
        if carrier.id != leg.order_id:
            leg.cancel_id = carrier.id

    def absorb(self, leg: Leg, order: Order) -> None:
        """Take over how an order is; what has been traded never becomes less."""
        leg.state = order.state
        leg.reason = order.reason.encode("utf-8", "replace").decode()  # a broker's words may hold half a surrogate pair
        leg.in_doubt = order.may_have_been_executed
        leg.worked = leg.worked or order.state is OrderState.WORKING
        leg.filled = max(leg.filled, order.filled or NOTHING)
        if leg.comes_with and order.answer is not None and order.state in _BOOKED:
            leg.booked = self.desk.booked(order) or leg.booked
        grouped = leg.comes_with or leg.link is Link.OCO
        if grouped and order.state is OrderState.EXPIRED and order.broker_order_id:
            leg.state, leg.released = OrderState.CANCELLED, True
        if order.state is OrderState.FILLED and not leg.filled and leg.terms is not None:
            leg.filled = leg.terms.quantity
        now = self.clock.now()
        if order.state is OrderState.WORKING and leg.taken_back and now - (leg.cancelled_at or now) >= SETTLING_SECONDS:
            leg.state = OrderState.CANCELLED
        if not leg.open and leg.ended_at is None:
            leg.ended_at = now

    def handed_in(self, leg: Leg, order: Order) -> None:
        """The order desk has it under this id."""
        leg.order_id = order.id
        self.absorb(leg, order)

    async def _order(self, leg: Leg) -> Order | None:
        try:
            return (await self.desk.account(leg.order_id)).order
        except UnknownOrderError:
            leg.state, leg.in_doubt, leg.ended_at = OrderState.DEAD, True, self.clock.now()
            leg.reason = "the state file does not know of it any more; look at the broker"
            return None


def _takes_over(operation: Operation, leg: Leg) -> bool:
    """Whether it replaces an order that is being cancelled already: to undo that, it has to be placed."""
    old = operation.last(Role.OLD)
    return leg.role is Role.REPLACEMENT and old is not None and (not old.open or old.cancels > 0)
