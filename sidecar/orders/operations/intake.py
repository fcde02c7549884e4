"""Whether an operation can be carried out, and with which orders: found out before anything is done for it."""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import UnknownOrderError, UnsupportedError
from sidecar.orders.ledger import Wanted
from sidecar.orders.operations.draft import (
    MOST_ORDERS,
    BracketChange,
    BracketDraft,
    BulkCancelDraft,
    ModificationDraft,
)
from sidecar.orders.operations.errors import RefusedError
from sidecar.orders.operations.kinds import GROUPED, grouped, needed
from sidecar.orders.operations.model import UNDO, Leg, Native, Operation, Role
from sidecar.orders.operations.moves import Shift
from sidecar.orders.order import Kind, Order
from sidecar.words import OperationType, OrderState, OrderType

_OPEN_ORDERS: Final = tuple(state for state in OrderState if not state.final)


class Intake:
    """Examines what is asked for; it changes nothing but the record of an operation that nobody knows of yet."""

    def __init__(self, desk: OrderDesk, owners: Mapping[str, str]) -> None:
        """`owners`: the ids of operations by those of the orders that belong to them, always as they are now."""
        self._desk = desk
        self._owners = owners

    async def examine(self, operation: Operation) -> None:
        """Enter the orders that a new operation is about, and how its broker takes those that it will place.

        Raises RefusedError, StoreError.
        """
        operation.record.legs = await self._legs(operation)
        operation.record.native = self._native(operation)
        for order in needed(operation):
            self._check(order)

    def shift(self, operation: Operation, change: BracketChange) -> Shift:
        """What moves where when a bracket's stop or target is wanted elsewhere. Raises RefusedError."""
        if not isinstance(operation.intent, BracketDraft):
            raise RefusedError(
                f"not moved: only a bracket's stop and target are; replace an order of a {operation.type} by an "
                "operation of the type modification"
            )
        native = operation.record.native
        if native is not None and native.locks_exits:
            raise RefusedError(
                f"not moved: {operation.broker} keeps stop and target as one pair; undo the bracket with "
                f"POST /v1/operations/{operation.id}/rollback and begin another one"
            )
        now = {"stop_price": operation.wanted(Role.STOP), "target_price": operation.wanted(Role.TARGET)}
        filled = {"price": None} if operation.filled(Role.ENTRY) else {}
        try:
            draft = BracketDraft.model_validate(operation.intent.model_dump() | now | filled | change.asked())
        except ValidationError as error:
            raise RefusedError(f"not moved: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
        record = operation.record.model_copy(update={"prices": {}})
        for order in needed(operation.model_copy(update={"intent": draft, "record": record})):
            self._check(order, "not moved")
        prices = {Role.STOP: draft.stop_price, Role.TARGET: draft.target_price}
        return Shift({role: price for role, price in prices.items() if price != operation.wanted(role) and price})

    def _native(self, operation: Operation) -> Native | None:
        """How the broker places the operation's orders in one request; None where it does not."""
        if operation.type not in GROUPED:
            return None
        try:
            takes = self._desk.takes_groups(operation.broker)
        except UnsupportedError as error:
            raise RefusedError(f"not begun: {error}") from error
        if takes is None:
            return None
        native = Native(covers_parts=takes.covers_parts, locks_exits=takes.locks_exits)
        objection = self._desk.objection_to_group(*grouped(operation, native))
        if objection and operation.type is OperationType.BRACKET and native.locks_exits:
            raise RefusedError(f"not begun: {objection}")
        return None if objection else native

    def _check(self, order: OrderDraft, refusal: str = "not begun") -> None:
        try:
            self._desk.check(order)
        except UnsupportedError as error:
            raise RefusedError(f"{refusal}: {str(error).removeprefix('not taken: ')}") from error

    async def _legs(self, operation: Operation) -> list[Leg]:
        """The orders that an operation is about and that are there already."""
        draft, now = operation.intent, operation.created_at
        if isinstance(draft, ModificationDraft):
            return [await self._replaced(draft, now)]
        if not isinstance(draft, BulkCancelDraft):
            return []
        if draft.orders:
            orders = [await self._order(draft.broker, order_id) for order_id in dict.fromkeys(draft.orders)]
        else:
            every = await self._desk.select(Wanted(brokers=(draft.broker,), states=_OPEN_ORDERS, most=10 * MOST_ORDERS))
            orders = [order for order in every if _fits(order, draft) and order.id not in self._owners][:MOST_ORDERS]
        if not orders:
            raise RefusedError(
                "not begun: there is no carried order to cancel; GET /v1/orders lists those that are known"
            )
        if not any(self._desk.can_cancel(order) for order in orders):
            raise RefusedError(
                f"not begun: {draft.broker} has told no id of these orders, and cancels by nothing else; "
                "cancel them there"
            )
        return [_foreign(f"order{number}", Role.ORDER, order, now) for number, order in enumerate(orders, 1)]

    async def _replaced(self, draft: ModificationDraft, now: float) -> Leg:
        order = await self._order(draft.broker, draft.order)
        terms = draft.replacement.order(draft.broker, order.lane.instrument, order.lane.account)
        if terms.type is OrderType.MARKET:
            raise RefusedError("not begun: a market order replaces nothing; cancel the order and place a new one")
        self._check(terms)
        leg = _foreign("old", Role.OLD, order, now)
        leg.terms = terms
        return leg

    async def _order(self, broker: str, order_id: str) -> Order:
        try:
            order = (await self._desk.account(order_id)).order
        except UnknownOrderError as error:
            raise RefusedError(f"not begun: {order_id}: {error}") from error
        if order.broker != broker or order.kind is not Kind.ORDER:
            raise RefusedError(f"not begun: {order_id} is no order at {broker}")
        if order.state.final:
            raise RefusedError(f"not begun: order {order_id} is {order.state} already")
        if order_id in self._owners:
            raise RefusedError(
                f"not begun: order {order_id} belongs to operation {self._owners[order_id]}: move a bracket's "
                f"stop or target with POST /v1/operations/{self._owners[order_id]}/modify, undo all of it with "
                f"POST /v1/operations/{self._owners[order_id]}/rollback"
            )
        return order


def _fits(order: Order, draft: BulkCancelDraft) -> bool:
    return (
        order.kind is Kind.ORDER
        and draft.instrument in {"", order.lane.instrument}
        and draft.account in {"", order.lane.account}
    )


def _foreign(name: str, role: Role, order: Order, now: float) -> Leg:
    leg = Leg(name=name, role=role, undo=UNDO[role], planned_at=now, order_id=order.id)
    leg.state, leg.worked = order.state, order.state is OrderState.WORKING
    return leg
