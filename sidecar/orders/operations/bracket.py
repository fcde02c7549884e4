"""What comes next for a bracket: entry, stop for what has filled, target, and each cancelled when the other fills."""

from decimal import Decimal

from sidecar.brokers.groups import Link
from sidecar.orders.operations import locked
from sidecar.orders.operations.bracket_orders import (
    EXITS,
    bracket_of,
    exposure,
    group,
    market_order,
    stop_order,
    target_order,
    unprotected,
)
from sidecar.orders.operations.model import NOTHING, Leg, Operation, Role
from sidecar.orders.operations.moves import (
    LINKED_SECONDS,
    Alarm,
    Cancel,
    End,
    Exhausted,
    Moment,
    Move,
    Note,
    Place,
    Unwind,
    Wait,
    called,
    more,
    still_open,
    traded_too_much,
    unwound,
)
from sidecar.orders.operations.moving import elsewhere, move, moved
from sidecar.words import OperationState, OrderState


def linked(operation: Operation) -> bool:
    """Whether all is in place that was asked for, or can be."""
    entry = operation.last(Role.ENTRY)
    if entry is None or entry.open or unprotected(operation) or exposure(operation) <= 0 or not moved(operation):
        return False
    target = operation.last(Role.TARGET)
    return operation.wanted(Role.TARGET) is None or (
        target is not None and (target.worked or bool(operation.record.errors))
    )


def decide(operation: Operation, moment: Moment) -> Move:
    """The next step of a bracket."""
    entry = operation.last(Role.ENTRY)
    if entry is None:
        return _begin(operation, moment)
    held = exposure(operation)
    since = operation.record.exposed_since
    if since is not None and moment.now - since >= moment.policy.protect_seconds:
        words = f"{held} has had no working stop for {moment.policy.protect_seconds:g} s; it is still being tried"
        if "unprotected" not in operation.record.alarms:
            return Alarm("unprotected", words)
    if (cancel := _cancel_entry(operation, moment, entry)) is not None:
        return cancel
    if held < 0:
        words = f"stop and target have both traded: {-held} more was closed than opened; it is being traded back"
        back = market_order(operation, -held, opens=True)
        return moment.cancel(still_open(operation.legs(*EXITS))) or traded_too_much(operation, moment, back, words)
    native = operation.record.native
    exits_lock = native is not None and native.locks_exits
    if operation.record.unwinding:
        return (locked.unwind if exits_lock else _unwind)(operation, moment, held)
    if held > 0:
        return (locked.hold if exits_lock else _hold)(operation, moment, entry, held)
    return _finish(operation, moment, entry)


def _begin(operation: Operation, moment: Moment) -> Move:
    if operation.record.unwinding:
        return End(OperationState.ROLLED_BACK, "undone before anything was sent")
    if not moment.fresh(operation):
        return End(OperationState.FAILED, "not begun: the sidecar was down, and the entry has become too old")
    terms, companions = group(operation)
    terms = terms.model_copy(update={"ttl_seconds": _fill_seconds(operation, moment)})
    if operation.record.native is None:
        return Place(Role.ENTRY, terms)
    return Place(Role.ENTRY, terms, companions, Link.ON_FILL)


def _cancel_entry(operation: Operation, moment: Moment, entry: Leg) -> Cancel | None:
    """The rest of an entry is taken back in time, and as soon as the position is being left.

    So it is where the broker protects only the whole of it: what has filled must not wait for the rest.
    """
    over = moment.now >= entry.planned_at + _fill_seconds(operation, moment)
    leaving = bool(operation.record.unwinding) or operation.filled(*EXITS) > 0
    native = operation.record.native
    uncovered = native is not None and not native.covers_parts and entry.filled > 0
    return moment.cancel([entry]) if over or leaving or uncovered else None


def _hold(operation: Operation, moment: Moment, entry: Leg, held: Decimal) -> Move:
    """A position is open: it needs a stop, then a target."""
    if (gone := _closed_elsewhere(operation, moment)) is not None:
        return gone
    stops = [leg for leg in operation.legs(Role.STOP) if leg.open and not _doubtful(leg, moment)]
    missing = more(held, sum((leg.left for leg in stops), NOTHING))
    if missing is not None:
        step = moment.again(operation, Role.STOP, stop_order(operation, missing))
        return Unwind(f"the stop cannot be placed: {step.reason}") if isinstance(step, Exhausted) else step
    if (cancel := _surplus(operation, moment, stops, held)) is not None:
        return cancel
    lost = next((leg for leg in operation.legs(Role.STOP) if leg.lost), None)
    if lost is not None and "stop" not in operation.record.alarms:
        return Alarm("stop", f"{lost.name} may be in the broker's book besides the stop that works: {lost.reason}")
    if (moving := move(operation, moment, stops, held, lambda quantity: stop_order(operation, quantity))) is not None:
        return moving
    if entry.open or unprotected(operation):
        return Wait()
    return _aim(operation, moment, held)


def _surplus(operation: Operation, moment: Moment, legs: list[Leg], held: Decimal) -> Cancel | None:
    """The cancel of what stands besides enough orders of its role; while they are moved, the old ones go first."""
    working = [leg for leg in legs if leg.state is OrderState.WORKING]
    surplus = sum((leg.left for leg in working), NOTHING) - held
    spare = [leg for leg in reversed(working) if leg.left <= surplus]
    return moment.cancel(spare[:1]) if spare and not elsewhere(operation, legs) else None


def _doubtful(stop: Leg, moment: Moment) -> bool:
    """Whether a position must not rely on a stop any longer.

    Another one is placed then: both are reduce-only, and the one too many is cancelled when it turns up.
    """
    unseen = stop.state is OrderState.IN_DOUBT or (bool(stop.comes_with) and stop.state is OrderState.SENDING)
    return unseen and moment.now - stop.planned_at >= moment.policy.protect_seconds


def _closed_elsewhere(operation: Operation, moment: Moment) -> Move | None:
    """The broker ends the exits of a position that is no more: another order has closed it, perhaps a person's."""
    exits = [leg for leg in operation.legs(Role.STOP, Role.TARGET) if leg.comes_with]
    if not any(leg.released for leg in exits) or any(leg.filled for leg in exits):
        return None
    if still_open(exits):
        seen = LINKED_SECONDS + max(leg.ended_at or moment.now for leg in exits if leg.released)
        # The one that has traded may be about to be seen.
        return Wait(seen) if moment.now < seen else None
    rest = still_open(operation.record.legs)
    words = "the position was closed by another order, and the broker has ended its stop"
    return moment.cancel(rest) or (Wait() if rest else End(OperationState.PARTIALLY_COMPLETED, words))


def _aim(operation: Operation, moment: Moment, held: Decimal) -> Move:
    targets = still_open(operation.legs(Role.TARGET))
    missing = None if operation.wanted(Role.TARGET) is None else more(held, operation.left(Role.TARGET))
    if missing is None:
        moving = move(operation, moment, targets, held, lambda quantity: target_order(operation, quantity))
        return moving or _surplus(operation, moment, targets, held) or Wait()
    step = moment.again(operation, Role.TARGET, target_order(operation, missing))
    if isinstance(step, Exhausted):
        words = f"there is no target, the stop stands: {step.reason}"
        if words not in operation.record.errors:
            return Note(words)
        lost = any(leg.lost for leg in operation.legs(Role.TARGET))
        return called(operation, "target", words, Wait()) if lost else Wait()
    return step


def _finish(operation: Operation, moment: Moment, entry: Leg) -> Move:
    """Nothing is open at the market: what is left in the book has to go."""
    if entry.open:
        return Wait()
    if entry.lost:
        words = f"the entry may have been executed, and nobody knows: {entry.reason}"
        return called(operation, "entry", words, End(OperationState.FAILED, words))
    rest = still_open(operation.legs(Role.STOP, Role.TARGET, Role.FLATTEN))
    if rest:
        return moment.let_go(operation, rest) or Wait()
    if not entry.filled:
        return End(OperationState.FAILED, f"the entry has not filled: {entry.reason}")
    bad = operation.record.errors or operation.filled(Role.RESTORE)
    state = OperationState.PARTIALLY_COMPLETED if bad else OperationState.COMPLETED
    closed_by = next((leg.name for leg in operation.record.legs if leg.role in EXITS and leg.filled), "")
    return End(state, f"the position was closed by {closed_by}")


def _unwind(operation: Operation, moment: Moment, held: Decimal) -> Move:
    """Out of the market first; the stop stays until nothing is left to protect."""
    why = operation.record.unwinding
    missing = more(held, operation.left(Role.FLATTEN))
    if missing is not None:
        step = moment.again(operation, Role.FLATTEN, market_order(operation, missing, opens=False))
        if isinstance(step, Exhausted):
            stop = "no stop works" if unprotected(operation) else "its stop stands, and is not watched any more"
            words = f"{why}; {held} could not be closed at the market, {stop}: {step.reason}"
            return called(operation, "not closed", words, End(OperationState.FAILED, words))
        return step
    others = still_open(operation.legs(Role.TARGET))
    entry = operation.last(Role.ENTRY)
    if held == 0 and entry is not None and not entry.open:
        others += still_open(operation.legs(Role.STOP))
    if (cancel := moment.let_go(operation, others)) is not None:
        return cancel
    return unwound(operation)


def _fill_seconds(operation: Operation, moment: Moment) -> float:
    return bracket_of(operation).fill_seconds or moment.policy.fill_seconds
