"""A bracket's position where a waiting order locks what it would sell, and none is reduce-only: on a spot market.

Its stop and target can wait only as one pair, which the broker itself keeps: the first that trades ends the other. The
position can be closed at the market only once the pair is gone.
"""

from decimal import Decimal

from sidecar.brokers.groups import Link
from sidecar.orders.operations.bracket_orders import market_order, stop_order, target_order
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.orders.operations.moves import (
    LINKED_SECONDS,
    Cancel,
    End,
    Exhausted,
    Moment,
    Move,
    Place,
    Unwind,
    Wait,
    called,
    more,
    still_open,
    unwound,
)
from sidecar.words import OperationState

_PAIR = (Role.STOP, Role.TARGET)


def hold(operation: Operation, moment: Moment, entry: Leg, held: Decimal) -> Move:
    """A position is open: it needs a stop and a target, unless it has them."""
    if entry.open:
        return Wait()
    waiting = still_open(operation.legs(*_PAIR))
    if any(leg.role is Role.STOP for leg in waiting):
        return Wait()
    if waiting:
        return _left_over(operation, moment, waiting)
    lost = next((leg for leg in operation.legs(*_PAIR) if leg.lost), None)
    if lost is not None:
        # Another one could sell what this one sells.
        return Unwind(f"{lost.name} may protect the position, and nobody knows: {lost.reason}")
    move = moment.again(operation, Role.STOP, stop_order(operation, held))
    if isinstance(move, Exhausted):
        return Unwind(f"the stop cannot be placed: {move.reason}")
    if not isinstance(move, Place) or operation.wanted(Role.TARGET) is None:
        return move
    return Place(Role.STOP, move.terms, ((Role.TARGET, target_order(operation, held)),), Link.OCO)


def unwind(operation: Operation, moment: Moment, held: Decimal) -> Move:
    """The pair is taken back first: what it locks could not be sold."""
    waiting = still_open(operation.legs(*_PAIR))
    if waiting:
        return _cancel(moment, waiting) or Wait()
    missing = more(held, operation.left(Role.FLATTEN))
    if missing is None:
        return unwound(operation)
    move = moment.again(operation, Role.FLATTEN, market_order(operation, missing, opens=False))
    if isinstance(move, Exhausted):
        words = f"{operation.record.unwinding}; {held} could not be closed at the market, no stop works: {move.reason}"
        return called(operation, "not closed", words, End(OperationState.FAILED, words))
    return move


def _left_over(operation: Operation, moment: Moment, waiting: list[Leg]) -> Move:
    """The stop has ended: the broker ends the target by itself, or the target has just traded."""
    ended = max(leg.ended_at or moment.now for leg in operation.legs(Role.STOP))
    due = ended + LINKED_SECONDS
    return Wait(due) if due > moment.now else (_cancel(moment, waiting) or Wait())


def _cancel(moment: Moment, waiting: list[Leg]) -> Cancel | None:
    """One cancel takes the whole pair back."""
    return None if any(leg.cancel_id for leg in waiting) else moment.cancel(waiting)
