"""The kinds of operations, by what decides the next step of each."""

from collections.abc import Callable, Mapping
from typing import Final

from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations import bracket, pair, single
from sidecar.orders.operations.draft import AnyDraft, BracketDraft, CloseDraft, OcoDraft
from sidecar.orders.operations.model import Operation
from sidecar.orders.operations.moves import Moment, Move, unsettled_cancel
from sidecar.words import OperationType

_DECIDE: Final[Mapping[OperationType, Callable[[Operation, Moment], Move]]] = {
    OperationType.BRACKET: bracket.decide,
    OperationType.OCO: pair.decide,
    OperationType.POSITION_CLOSE: single.close,
    OperationType.BULK_CANCEL: single.bulk_cancel,
    OperationType.MODIFICATION: single.modification,
}


def decide(operation: Operation, moment: Moment) -> Move:
    """The next step; the same for the same record at the same time, so that a restart goes on where it was."""
    if operation.type is not OperationType.BULK_CANCEL:
        alarm = unsettled_cancel(operation, moment.policy)
        if alarm is not None:
            return alarm
    return _DECIDE[operation.type](operation, moment)


def exposed(operation: Operation) -> bool:
    """Whether a position that was promised a stop has none at work."""
    return operation.type is OperationType.BRACKET and bracket.unprotected(operation)


def settled(operation: Operation) -> bool:
    """Whether it has ended, or nothing is left to do but to watch its orders."""
    if operation.state.final:
        return True
    if operation.record.unwinding:
        return False
    if operation.type is OperationType.BRACKET:
        return bracket.linked(operation)
    return operation.type is OperationType.OCO and pair.linked(operation)


def needed(draft: AnyDraft) -> list[OrderDraft]:
    """The orders that it may come to need, to see before anything is done whether its broker takes such."""
    if isinstance(draft, BracketDraft):
        return bracket.orders(draft)
    if isinstance(draft, OcoDraft):
        return pair.orders(draft)
    return [single.closing(draft, draft.quantity)] if isinstance(draft, CloseDraft) else []
