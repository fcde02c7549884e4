"""What comes next for an OCO pair: both are placed, one fills, the other is cancelled."""

from typing import Final

from sidecar.brokers.groups import Link
from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.draft import OcoDraft
from sidecar.orders.operations.model import Operation, Role
from sidecar.orders.operations.moves import (
    End,
    Exhausted,
    Moment,
    Move,
    Place,
    Unwind,
    Wait,
    called,
    still_open,
    traded_too_much,
)
from sidecar.words import OperationState, OrderState

PAIR: Final = (Role.FIRST, Role.SECOND)


def linked(operation: Operation) -> bool:
    """Whether both are in the broker's book."""
    legs = [operation.last(role) for role in PAIR]
    return all(leg is not None and leg.worked for leg in legs)


def decide(operation: Operation, moment: Moment) -> Move:
    """The next step of an OCO pair."""
    traded = [role for role in PAIR if operation.filled(role)]
    if len(traded) == len(PAIR):
        return _both(operation, moment)
    if traded:
        return _won(operation, moment, traded[0])
    if operation.record.unwinding:
        return _unwind(operation, moment)
    return _place(operation, moment) if operation.record.native is None else _place_both(operation, moment)


def orders(operation: Operation) -> list[OrderDraft]:
    """Both orders."""
    draft = _draft(operation)
    return [leg.order(draft.broker, draft.instrument, draft.account) for leg in (draft.first, draft.second)]


def _place(operation: Operation, moment: Moment) -> Move:
    """One after the other, so that the second is not sent when the first has filled at once."""
    if not operation.record.legs and not moment.fresh(operation):
        return End(OperationState.FAILED, "not begun: the sidecar was down, and the pair has become too old")
    for role, terms in zip(PAIR, orders(operation), strict=True):
        leg = operation.last(role)
        if leg is None or (not leg.open and not leg.worked):
            move = moment.again(operation, role, terms)
            return Unwind(f"the {role} order cannot be placed: {move.reason}") if isinstance(move, Exhausted) else move
        if not leg.worked:
            return Wait()
    if still_open(operation.legs(*PAIR)):
        return Wait()
    return End(OperationState.FAILED, "both orders have ended without a fill, and nobody asked the sidecar for it")


def _place_both(operation: Operation, moment: Moment) -> Move:
    """Both in one request: the broker takes both or none, and lets one end the other."""
    if not operation.record.legs and not moment.fresh(operation):
        return End(OperationState.FAILED, "not begun: the sidecar was down, and the pair has become too old")
    first = operation.last(Role.FIRST)
    if still_open(operation.legs(*PAIR)):
        return Wait()
    if first is None or first.state is OrderState.REJECTED:
        terms, other = orders(operation)
        move = moment.again(operation, Role.FIRST, terms)
        if isinstance(move, Place):
            return Place(Role.FIRST, terms, ((Role.SECOND, other),), Link.OCO)
        return Unwind(f"the pair cannot be placed: {move.reason}") if isinstance(move, Exhausted) else move
    if lost := next((leg for leg in operation.legs(*PAIR) if leg.lost), None):
        return Unwind(f"{lost.name} may be in the broker's book, and nobody knows: {lost.reason}")
    return End(OperationState.FAILED, "both orders have ended without a fill, and nobody asked the sidecar for it")


def _won(operation: Operation, moment: Moment, winner: Role) -> Move:
    loser = PAIR[1 - PAIR.index(winner)]
    if (move := moment.let_go(operation, operation.legs(loser))) is not None:
        return move
    if still_open(operation.legs(*PAIR)):
        return Wait()
    lost = next((leg for leg in operation.legs(loser) if leg.lost), None)
    if lost is not None:
        words = f"the {winner} order has filled, and {lost.name} may be in the broker's book, and nobody knows"
        return called(operation, "lost", words, End(OperationState.FAILED, words))
    leg = next(leg for leg in operation.legs(winner) if leg.filled)
    whole = leg.terms is not None and leg.filled >= leg.terms.quantity
    words = f"{leg.name} has filled" if whole else f"{leg.name} has filled in part and ended: {leg.reason}"
    return End(OperationState.COMPLETED if whole else OperationState.PARTIALLY_COMPLETED, words)


def _both(operation: Operation, moment: Moment) -> Move:
    """Both have traded: what is too much is traded back, unless the two have undone each other already."""
    draft = _draft(operation)
    if (cancel := moment.cancel(operation.legs(*PAIR))) is not None:
        return cancel
    words = "both orders of the pair have traded"
    if draft.first.side is not draft.second.side:
        told = f"{words}, and undone each other as far as they go"
        move: Move = Wait() if still_open(operation.legs(*PAIR)) else End(OperationState.PARTIALLY_COMPLETED, told)
        return called(operation, "too much", told, move)
    excess = min(operation.filled(role) for role in PAIR) - operation.filled(Role.RESTORE)
    if excess > 0:
        back = OrderDraft(
            broker=draft.broker,
            instrument=draft.instrument,
            account=draft.account,
            side=draft.first.side.opposite,
            quantity=excess,
        )
        told = f"{words}: {excess} too much; it is being traded back"
        return traded_too_much(operation, moment, back, told)
    if still_open(operation.record.legs):
        return Wait()
    return End(OperationState.PARTIALLY_COMPLETED, f"{words}; what was too much has been traded back")


def _unwind(operation: Operation, moment: Moment) -> Move:
    if (cancel := moment.cancel(operation.legs(*PAIR))) is not None:
        return cancel
    if still_open(operation.legs(*PAIR)):
        return Wait()
    why = operation.record.unwinding
    lost = next((leg for leg in operation.legs(*PAIR) if leg.lost), None)
    if lost is not None:
        words = f"{why}; {lost.name} may be in the broker's book, and nobody knows"
        return called(operation, "lost", words, End(OperationState.FAILED, words))
    return End(OperationState.ROLLED_BACK, why)


def _draft(operation: Operation) -> OcoDraft:
    assert isinstance(operation.intent, OcoDraft)  # noqa: S101 - the table of kinds says so
    return operation.intent
