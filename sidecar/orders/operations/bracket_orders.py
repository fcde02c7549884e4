"""The orders of a bracket, and how much of its position they leave open or unprotected."""

from decimal import Decimal
from typing import Final

from sidecar.orders.draft import OrderDraft
from sidecar.orders.operations.draft import BracketDraft
from sidecar.orders.operations.model import NOTHING, Operation, Role
from sidecar.words import OrderState, OrderType

EXITS: Final = (Role.STOP, Role.TARGET, Role.FLATTEN)


def exposure(operation: Operation) -> Decimal:
    """How much of the position is open; below 0 when more was closed than opened."""
    return operation.filled(Role.ENTRY, Role.RESTORE) - withheld(operation) - operation.filled(*EXITS)


def withheld(operation: Operation) -> Decimal:
    """What was bought and cannot be sold, by what the exits are for that the broker has placed: a fee, for one."""
    entry = operation.last(Role.ENTRY)
    exits = [] if entry is None else operation.companions(entry)
    booked = next((leg.booked for leg in exits if leg.booked is not None), None)
    if entry is None or booked is None or entry.state is not OrderState.FILLED:
        return NOTHING
    return max(NOTHING, entry.filled - booked)


def unprotected(operation: Operation) -> bool:
    """Whether a part of the position has no stop at work."""
    working = sum((leg.left for leg in operation.legs(Role.STOP) if leg.state is OrderState.WORKING), Decimal(0))
    return exposure(operation) > working


def stop_order(operation: Operation, quantity: Decimal) -> OrderDraft:
    """The stop for so much."""
    terms = {"type": OrderType.STOP, "stop_price": operation.wanted(Role.STOP)}
    return market_order(operation, quantity, opens=False).model_copy(update=terms)


def target_order(operation: Operation, quantity: Decimal) -> OrderDraft:
    """The target for so much."""
    terms = {"type": OrderType.TAKE_PROFIT, "stop_price": operation.wanted(Role.TARGET)}
    return market_order(operation, quantity, opens=False).model_copy(update=terms)


def market_order(operation: Operation, quantity: Decimal, *, opens: bool) -> OrderDraft:
    """So much at the market, in the direction of the entry or against it."""
    draft, native = bracket_of(operation), operation.record.native
    return OrderDraft(
        broker=draft.broker,
        instrument=draft.instrument,
        account=draft.account,
        side=draft.side if opens else draft.side.opposite,
        quantity=quantity,
        reduce_only=not opens and (native is None or not native.locks_exits),
    )


def group(operation: Operation) -> tuple[OrderDraft, tuple[tuple[Role, OrderDraft], ...]]:
    """The entry, and what is to be placed along with it where the broker can do so."""
    draft = bracket_of(operation)
    entry = market_order(operation, draft.quantity, opens=True).model_copy(
        update={"time_in_force": draft.time_in_force}
    )
    if draft.price is not None:
        entry = entry.model_copy(update={"type": OrderType.LIMIT, "price": draft.price})
    companions = [(Role.STOP, stop_order(operation, draft.quantity))]
    if operation.wanted(Role.TARGET) is not None:
        companions.append((Role.TARGET, target_order(operation, draft.quantity)))
    return entry, tuple(companions)


def orders(operation: Operation) -> list[OrderDraft]:
    """One of each order that it may come to need, to see whether its broker takes such."""
    entry, companions = group(operation)
    closing = market_order(operation, bracket_of(operation).quantity, opens=False)
    return [entry, closing, *(terms for _, terms in companions)]


def bracket_of(operation: Operation) -> BracketDraft:
    """What was asked for."""
    assert isinstance(operation.intent, BracketDraft)  # noqa: S101 - the table of kinds says so
    return operation.intent
