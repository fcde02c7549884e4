"""What comes next for the operations without a link: closes, bulk cancels, modifications."""

from decimal import Decimal

from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.draft import CloseDraft, ModificationDraft
from sidecar.orders.operations.model import Leg, Operation, Role
from sidecar.orders.operations.moves import (
    End,
    Exhausted,
    Moment,
    Move,
    Wait,
    called,
    still_open,
    traded_too_much,
)
from sidecar.words import OperationState, OrderState


def close(operation: Operation, moment: Moment) -> Move:
    """The next step of a position close: market orders until all of it is closed."""
    draft = operation.intent
    assert isinstance(draft, CloseDraft)  # noqa: S101 - the table of kinds says so
    done, why = operation.filled(Role.CLOSE), operation.record.unwinding
    if why and (cancel := moment.cancel(operation.legs(Role.CLOSE))) is not None:
        return cancel
    if still_open(operation.legs(Role.CLOSE)):
        return Wait()
    if done >= draft.quantity:
        return End(OperationState.COMPLETED, f"{done} closed")
    lost = next((leg for leg in operation.legs(Role.CLOSE) if leg.lost), None)
    if lost is not None:
        words = f"{lost.name} may have closed the position, and nobody knows: {lost.reason}"
        return called(operation, "lost", words, End(OperationState.FAILED, words))
    if why:
        state = OperationState.PARTIALLY_COMPLETED if done else OperationState.ROLLED_BACK
        return End(state, f"{why}; {done} of {draft.quantity} closed")
    if not operation.record.legs and not moment.fresh(operation):
        return End(OperationState.FAILED, "not begun: the sidecar was down, and the close has become too old")
    move = moment.again(operation, Role.CLOSE, closing(draft, draft.quantity - done))
    if isinstance(move, Exhausted):
        words = f"{done} of {draft.quantity} closed; the rest could not be: {move.reason}"
        state = OperationState.PARTIALLY_COMPLETED if done else OperationState.FAILED
        return called(operation, "not closed", words, End(state, words))
    return move


def closing(draft: CloseDraft, quantity: Decimal) -> OrderDraft:
    """The order that closes so much."""
    return OrderDraft(
        broker=draft.broker,
        instrument=draft.instrument,
        account=draft.account,
        side=draft.side.opposite,
        quantity=quantity,
        reduce_only=True,
    )


def bulk_cancel(operation: Operation, moment: Moment) -> Move:
    """The next step of a bulk cancel: each order is tried a bounded number of times."""
    todo = [leg for leg in operation.legs(Role.ORDER) if leg.open and not _given_up(leg, moment)]
    if todo:
        return moment.cancel(todo) or Wait()
    legs = operation.record.legs
    gone = [leg for leg in legs if leg.state in {OrderState.CANCELLED, OrderState.EXPIRED}]
    told = f"{len(gone)} of {len(legs)} orders cancelled"
    if len(gone) == len(legs):
        return End(OperationState.COMPLETED, told)
    rest = "; ".join(f"{leg.name} is {leg.state}" for leg in legs if leg not in gone)
    return End(OperationState.PARTIALLY_COMPLETED if gone else OperationState.FAILED, f"{told}; {rest}")


def modification(operation: Operation, moment: Moment) -> Move:
    """The next step of a modification: cancel, then replace; the other way round for what protects a position."""
    old = operation.last(Role.OLD)
    assert old is not None  # noqa: S101 - it is there from the beginning
    draft = _modification(operation)
    placed = operation.filled(Role.REPLACEMENT)
    if operation.record.unwinding and old.open and not old.cancels and not placed:
        rest = still_open(operation.legs(Role.REPLACEMENT))
        return moment.cancel(rest) or (Wait() if rest else End(OperationState.ROLLED_BACK, operation.record.unwinding))
    excess = old.filled + placed - draft.replacement.quantity - operation.filled(Role.RESTORE)
    if excess > 0 and placed:
        words = f"the order and its replacement have both traded: {excess} too much; it is being traded back"
        back = OrderDraft(
            broker=draft.broker,
            instrument=_terms(old).instrument,
            account=_terms(old).account,
            side=draft.replacement.side.opposite,
            quantity=excess,
        )
        rest = still_open(operation.legs(Role.OLD, Role.REPLACEMENT))
        return moment.cancel(rest) or traded_too_much(operation, moment, back, words)
    if still_open(operation.legs(Role.RESTORE)):
        return Wait()
    go_on = _place_first if draft.replacement.reduce_only else _cancel_first
    return go_on(operation, moment, old)


def replacement(operation: Operation, old: Leg, quantity: Decimal) -> OrderDraft:
    """The order that takes the old one's place."""
    draft, terms = _modification(operation), _terms(old)
    whole = draft.replacement.order(draft.broker, terms.instrument, terms.account)
    return whole.model_copy(update={"quantity": quantity})


def _place_first(operation: Operation, moment: Moment, old: Leg) -> Move:
    quantity = _modification(operation).replacement.quantity
    new = operation.last(Role.REPLACEMENT)
    if not old.open and old.filled >= quantity:
        rest = still_open(operation.legs(Role.REPLACEMENT))
        words = "the old order has traded before it was replaced"
        return moment.cancel(rest) or (Wait() if rest else End(OperationState.FAILED, words))
    if new is None or (new.fruitless and not new.worked):
        if new is None and not moment.fresh(operation):
            return End(OperationState.FAILED, "not begun: the sidecar was down, and the change has become too old")
        move = moment.again(operation, Role.REPLACEMENT, replacement(operation, old, quantity - old.filled))
        if isinstance(move, Exhausted):
            return _refused(operation, f"the old order stands; its replacement could not be placed: {move.reason}")
        return move
    if new.open and not new.worked:
        return Wait()
    if old.open:
        return moment.cancel([old]) or Wait()
    if old.lost:
        words = f"{new.name} stands, and the old order may do so too, and nobody knows: {old.reason}"
        return called(operation, "lost", words, End(OperationState.PARTIALLY_COMPLETED, words))
    return End(OperationState.COMPLETED, f"{new.name} has taken its place")


def _cancel_first(operation: Operation, moment: Moment, old: Leg) -> Move:
    if old.open:
        words = f"the old order stands: it could not be cancelled {old.cancels} times"
        given_up = End(OperationState.FAILED, words) if _given_up(old, moment) else None
        return given_up or moment.cancel([old]) or Wait()
    if old.lost:
        return _refused(operation, f"the old order may have been executed, and nobody knows: {old.reason}")
    new = operation.last(Role.REPLACEMENT)
    rest = _modification(operation).replacement.quantity - old.filled - operation.filled(Role.REPLACEMENT)
    if rest <= 0 and new is None:
        return End(OperationState.FAILED, "the old order has traded before it was replaced")
    if new is not None and (new.open or new.worked or rest <= 0):
        there = new.worked or rest <= 0
        return End(OperationState.COMPLETED, f"{new.name} has taken its place") if there else Wait()
    if new is None and not moment.fresh(operation):
        return End(OperationState.FAILED, "the old order is cancelled; its replacement has become too old to be sent")
    move = moment.again(operation, Role.REPLACEMENT, replacement(operation, old, rest))
    if isinstance(move, Exhausted):
        return _refused(operation, f"the old order is cancelled; its replacement could not be placed: {move.reason}")
    return move


def _refused(operation: Operation, words: str) -> Move:
    end = End(OperationState.FAILED, words)
    lost = any(leg.lost for leg in operation.record.legs)
    return called(operation, "lost", words, end) if lost else end


def _given_up(leg: Leg, moment: Moment) -> bool:
    return leg.cancels >= moment.policy.attempts and not leg.cancel_id and not leg.taken_back


def _terms(old: Leg) -> OrderDraft:
    assert old.terms is not None  # noqa: S101 - written down when the operation was taken
    return old.terms


def _modification(operation: Operation) -> ModificationDraft:
    assert isinstance(operation.intent, ModificationDraft)  # noqa: S101 - the table of kinds says so
    return operation.intent
