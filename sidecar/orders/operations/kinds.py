"""The kinds of operations, by what decides the next step of each."""

from collections.abc import Callable, Mapping
from typing import Final

from sidecar.brokers.groups import Link
from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations import bracket, bracket_orders, pair, single
from sidecar.orders.operations.draft import BracketDraft, CloseDraft, OcoDraft
from sidecar.orders.operations.model import Native, Operation
from sidecar.orders.operations.moves import Moment, Move, unsettled_cancel
from sidecar.words import OperationType

_DECIDE: Final[Mapping[OperationType, Callable[[Operation, Moment], Move]]] = {
    OperationType.BRACKET: bracket.decide,
    OperationType.OCO: pair.decide,
    OperationType.POSITION_CLOSE: single.close,
    OperationType.BULK_CANCEL: single.bulk_cancel,
    OperationType.MODIFICATION: single.modification,
}

GROUPED: Final = frozenset({OperationType.BRACKET, OperationType.OCO})
"""Those whose orders a broker may place in one request."""


def decide(operation: Operation, moment: Moment) -> Move:
    """The next step; the same for the same record at the same time, so that a restart goes on where it was."""
    if operation.type is not OperationType.BULK_CANCEL:
        alarm = unsettled_cancel(operation, moment.policy)
        if alarm is not None:
            return alarm
    return _DECIDE[operation.type](operation, moment)


def exposed(operation: Operation) -> bool:
    """Whether a position that was promised a stop has none at work."""
    return operation.type is OperationType.BRACKET and bracket_orders.unprotected(operation)


def settled(operation: Operation) -> bool:
    """Whether it has ended, or nothing is left to do but to watch its orders."""
    if operation.state.final:
        return True
    if operation.record.unwinding:
        return False
    if operation.type is OperationType.BRACKET:
        return bracket.linked(operation)
    return operation.type is OperationType.OCO and pair.linked(operation)


def needed(operation: Operation) -> list[OrderDraft]:
    """The orders that it may come to need, to see before anything is done whether its broker takes such."""
    draft = operation.intent
    if isinstance(draft, BracketDraft):
        return bracket_orders.orders(operation)
    if isinstance(draft, OcoDraft):
        return pair.orders(operation)
    return [single.closing(draft, draft.quantity)] if isinstance(draft, CloseDraft) else []


def grouped(operation: Operation, native: Native) -> tuple[OrderDraft, list[OrderDraft], Link]:
    """The orders that would be placed in one request, to see whether its broker takes such a one; for `GROUPED`."""
    record = operation.record.model_copy(update={"native": native})
    as_native = operation.model_copy(update={"record": record})
    if operation.type is OperationType.BRACKET:
        entry, companions = bracket_orders.group(as_native)
        return entry, [terms for _, terms in companions], Link.ON_FILL
    first, second = pair.orders(as_native)
    return first, [second], Link.OCO
