"""A bracket's stop or target is wanted elsewhere: the new order first, and the old one goes when that one works."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.model import NOTHING, Leg, Operation, Role
from sidecar.orders.operations.moves import Exhausted, Keep, Moment, Move, Wait, called, more
from sidecar.words import OrderState


def elsewhere(operation: Operation, legs: Sequence[Leg]) -> list[Leg]:
    """Those of these open orders that stand where they are not wanted any more."""
    return [leg for leg in legs if leg.role not in operation.record.kept and _price(leg) != operation.wanted(leg.role)]


def moved(operation: Operation) -> bool:
    """Whether its stop and its target stand where they are wanted, and nowhere else."""
    return not elsewhere(operation, [leg for leg in operation.legs(Role.STOP, Role.TARGET) if leg.open])


def move(
    operation: Operation, moment: Moment, legs: Sequence[Leg], held: Decimal, terms: Callable[[Decimal], OrderDraft]
) -> Move | None:
    """The next step of moving orders of one role; None when all stand where they are wanted.

    `legs`: the open ones, which together are enough for `held`; `terms`: the order for so much, at the new price. Only
    from orders that work another one is moved: so there are two at most, however often the price is changed.
    """
    old = elsewhere(operation, legs)
    if not old:
        return None
    if any(leg.state is not OrderState.WORKING for leg in legs):
        return Wait()
    role = old[0].role
    missing = more(held, sum((leg.left for leg in legs if leg not in old), NOTHING))
    if missing is None:
        return moment.cancel(old) or Wait()
    step = moment.again(operation, role, terms(missing))
    return _stays(operation, role, old[-1], step.reason) if isinstance(step, Exhausted) else step


def _stays(operation: Operation, role: Role, old: Leg, reason: str) -> Move:
    at = _price(old) or NOTHING
    words = f"the {role} stays at {at}; it could not be moved to {operation.wanted(role)}: {reason}"
    keep = Keep(role, at, words)
    return called(operation, role, words, keep) if any(leg.lost for leg in operation.legs(role)) else keep


def _price(leg: Leg) -> Decimal | None:
    return None if leg.terms is None else leg.terms.stop_price
