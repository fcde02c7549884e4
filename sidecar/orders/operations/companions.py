"""Orders that the broker places along with another one: from when they are there, and what becomes of them else."""

from typing import TYPE_CHECKING

from sidecar.brokers.groups import Link
from sidecar.orders.errors import OrderError, StoppingError
from sidecar.orders.operations.model import NOTHING, Leg, Operation
from sidecar.words import OrderState

if TYPE_CHECKING:
    from sidecar.orders.operations.hands import Hands


async def bring(hands: "Hands", operation: Operation, leg: Leg) -> bool:
    """Follow a companion from the moment at which the broker has it; False when its first order was never handed in.

    Raises StoppingError, StoreError.
    """
    first = operation.first_of(leg)
    if first is None:
        return False
    if not first.open and (not_there := _absent(operation, first)) is not None:
        leg.state, leg.reason, leg.in_doubt = not_there, f"{first.name}: {first.reason}", first.lost
        leg.ended_at = hands.clock.now()
    elif leg.terms is not None and _there(operation, first):
        try:
            taken = await hands.desk.take_over(first.order_id, leg.terms)
        except StoppingError:
            raise
        except OrderError as error:
            leg.reason = str(error)
            return True
        if not first.open and NOTHING < first.filled < leg.terms.quantity:
            leg.terms = leg.terms.model_copy(update={"quantity": first.filled})
        leg.planned_at = hands.clock.now()
        hands.handed_in(leg, taken.order)
    return True


def _there(operation: Operation, first: Leg) -> bool:
    """Whether the broker has the companions by now."""
    if not first.order_id:
        return False
    if first.link is Link.OCO:
        return first.worked or first.released or first.filled > NOTHING
    native = operation.record.native
    parts = native is not None and native.covers_parts
    return first.filled > NOTHING if parts else first.state is OrderState.FILLED


def _absent(operation: Operation, first: Leg) -> OrderState | None:
    """How a companion ends that the broker has never had, because its first order has ended; None when it had it."""
    if first.lost:
        return OrderState.DEAD
    if _there(operation, first):
        return None
    return OrderState.REJECTED if first.state is OrderState.REJECTED else OrderState.CANCELLED
