"""Where operations are asked for, told of and undone: one runner for each that is under way."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

from pydantic import ValidationError

from sidecar.clock import Clock
from sidecar.config.model import Operations
from sidecar.orders.desk import OrderDesk
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import UnknownOrderError, UnsupportedError
from sidecar.orders.ledger import Wanted
from sidecar.orders.operations.draft import (
    MOST_ORDERS,
    AnyDraft,
    BracketChange,
    BracketDraft,
    BulkCancelDraft,
    ModificationDraft,
)
from sidecar.orders.operations.errors import (
    ClosingError,
    RefusedError,
    SettledError,
    TooManyError,
    TwiceError,
    UnknownOperationError,
    UnwrittenError,
)
from sidecar.orders.operations.hands import Hands
from sidecar.orders.operations.journal import Count, Journal, Sought, Step
from sidecar.orders.operations.kinds import GROUPED, grouped, needed, settled
from sidecar.orders.operations.model import UNDO, Leg, Native, Operation, Record, Role
from sidecar.orders.operations.moves import Shift
from sidecar.orders.operations.runner import Runner
from sidecar.orders.operations.tracing import begun
from sidecar.orders.order import Kind, Order
from sidecar.store import StoreError
from sidecar.telemetry.context import new_span_id, parse_traceparent, traceparent_of
from sidecar.telemetry.events import FILLS, Bus, OperationChanged, OrderStateChanged, StreamClosed
from sidecar.telemetry.state import OperationsReading
from sidecar.words import OperationState, OperationType, OrderState, OrderType

_ID_BITS: Final = 80
_OPEN_ORDERS: Final = tuple(state for state in OrderState if not state.final)
_UNDER_WAY: Final = tuple(state for state in OperationState if not state.final)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of one operation."""

    operation: Operation
    steps: tuple[Step, ...] = ()


class OperationEngine:
    """Carries out operations through the order desk, and never acts but by a step that is on the disk."""

    def __init__(
        self,
        desk: OrderDesk,
        journal: Journal,
        policy: Operations,
        brokers: Sequence[str],
        *,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`brokers`: those whose orders the desk takes."""
        self._desk = desk
        self._journal = journal
        self._policy = policy
        self._brokers = tuple(brokers)
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._hands = Hands(desk, clock)
        self._runners: dict[str, Runner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._owners: dict[str, str] = {}
        """Operation ids by the ids of the orders, and the cancels, that belong to them."""
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._stopping = False
        bus.subscribe(OrderStateChanged, self._hear)
        bus.subscribe(StreamClosed, self._no_longer_told)

    # Start and stop

    async def recover(self, seconds: float) -> None:
        """Go on with what the last run left, after a first look at each, for which it waits `seconds` at most.

        Raises StoreError.
        """
        runners = [self._runner(operation, resumes=True) for operation in await self._journal.under_way()]
        for runner in runners:
            self._begin(runner)
        looks = [asyncio.create_task(runner.looked.wait()) for runner in runners]
        if not looks:
            return
        over = asyncio.Event()
        timer = self._clock.call_later(seconds, over.set)
        ends = asyncio.create_task(over.wait())
        every = asyncio.create_task(_all_of(looks))
        await asyncio.wait([every, ends], return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        for task in (*looks, every, ends):
            task.cancel()

    def wind_down(self) -> None:
        """Begin nothing any more; what is on the disk goes on at the next start."""
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.set()

    async def finish(self) -> None:
        """Return when nobody acts any more; only after `wind_down`."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def settle(self, broker: str, reason: str) -> None:
        """End what is under way at a broker where its orders are gone and nothing is held; only after `finish`.

        Raises StoreError: then the next start goes on with it, and finds the same.
        """
        for runner in self._runners.values():
            if runner.operation.broker == broker and not runner.operation.state.final:
                await runner.settle(reason)

    # Asking for one

    async def begin(self, draft: AnyDraft, traceparent: bytes | None = None) -> tuple[Operation, bool]:
        """Take an operation: it is on the disk when this returns. Tells whether it was known already.

        Raises OperationError, StoreError.
        """
        if self._stopping:
            raise ClosingError("not begun: the sidecar is being stopped")
        now, asked_by, span_id = self._clock.now(), parse_traceparent(traceparent), new_span_id()
        operation = Operation(
            id=f"{self._rng.getrandbits(_ID_BITS):020x}",
            intent=draft,
            created_at=now,
            updated_at=now,
            record=Record(traceparent=traceparent_of(asked_by, span_id)),
        )
        known = await self._known(draft)
        if known is not None:
            return known, True
        if len(self._runners) >= self._policy.size:
            raise TooManyError(
                f"not begun: {len(self._runners)} operations are under way, and operations.size is {self._policy.size}"
            )
        operation.record.legs = await self._legs(draft, now)
        operation.record.native = self._native(operation)
        for order in needed(operation):
            self._check(order)
        try:
            known = await asyncio.shield(self._journal.accept(operation))
        except StoreError as error:
            words = "perhaps begun: the state file failed while it was written; ask for its client id, see the log"
            raise UnwrittenError(words) from error
        if known is not None:
            return self._same(draft, known), True
        self._bus.emit(
            OperationChanged(operation.broker, operation.id, operation.type, None, OperationState.PENDING, "")
        )
        self._bus.emit(begun(operation, asked_by))
        self._begin(self._runner(operation, resumes=False))
        return operation, False

    async def _known(self, draft: AnyDraft) -> Operation | None:
        if not draft.client_id:
            return None
        found = await self._journal.select(Sought(brokers=(draft.broker,), client_ids=(draft.client_id,)))
        return self._same(draft, found[0]) if found else None

    def _same(self, draft: AnyDraft, known: Operation) -> Operation:
        if known.intent != draft:
            raise TwiceError(f"not begun: its client id belongs to another operation, {known.id}; use a new one")
        return self._now(known)

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

    def _check(self, order: OrderDraft) -> None:
        try:
            self._desk.check(order)
        except UnsupportedError as error:
            raise RefusedError(f"not begun: {str(error).removeprefix('not taken: ')}") from error

    async def _legs(self, draft: AnyDraft, now: float) -> list[Leg]:
        """The orders that an operation is about and that are there already."""
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

    # Undoing one

    async def roll_back(self, operation_id: str, reason: str) -> Operation:
        """Undo an operation; returns once that is written down. Raises OperationError, StoreError."""
        told = await self.tell(operation_id)
        runner = self._runners.get(operation_id)
        if runner is None or told.operation.state.final:
            raise SettledError(f"operation {operation_id} is {told.operation.state}: there is nothing to undo")
        if told.operation.type is OperationType.BULK_CANCEL:
            raise SettledError("a bulk cancel cannot be undone: what is cancelled stays cancelled")
        with _Watch(self._watchers, operation_id) as changed:
            runner.unwind(reason)
            while not (runner.operation.record.unwinding or runner.operation.state.final or self._stopping):
                changed.clear()
                await changed.wait()
        return runner.operation

    # Moving a bracket's stop and target

    async def modify(self, operation_id: str, change: BracketChange) -> Operation:
        """Want a bracket's stop or target elsewhere; returns once that is written down.

        Raises OperationError, StoreError.
        """
        operation = (await self.tell(operation_id)).operation
        runner = self._runners.get(operation_id)
        if runner is None or operation.state.final or operation.record.unwinding:
            raise SettledError(f"operation {operation_id} is {operation.state}: there is nothing to move")
        shift = self._shift(runner.operation, change)
        if not shift.prices:
            return runner.operation
        with _Watch(self._watchers, operation_id) as changed:
            runner.shift(shift)
            while shift in runner.shifts:
                state = runner.operation.state
                if state.final or runner.operation.record.unwinding:
                    raise SettledError(f"not moved: meanwhile operation {operation_id} is {state}")
                if self._stopping:
                    raise ClosingError("not moved: the sidecar is being stopped")
                changed.clear()
                await changed.wait()
        return runner.operation

    def _shift(self, operation: Operation, change: BracketChange) -> Shift:
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
            self._check(order)
        prices = {Role.STOP: draft.stop_price, Role.TARGET: draft.target_price}
        return Shift({role: price for role, price in prices.items() if price != operation.wanted(role) and price})

    # Asking how one is

    async def tell(self, operation_id: str) -> Told:
        """What is known of an operation now. Raises UnknownOperationError, StoreError."""
        operation = await self._journal.find(operation_id)
        if operation is None:
            raise UnknownOperationError("no such operation, or none any more; GET /v1/operations lists those known")
        return Told(self._now(operation), tuple(await self._journal.steps(operation_id)))

    async def wait(self, operation_id: str, seconds: float, *, final: bool) -> Told:
        """What is known of it once it is settled, or has ended for `final`, or after `seconds`.

        Raises as `tell` does.
        """
        ends = self._clock.monotonic() + seconds
        with _Watch(self._watchers, operation_id) as changed:
            while True:
                changed.clear()
                told = await self.tell(operation_id)
                done = told.operation.state.final if final else settled(told.operation)
                left = ends - self._clock.monotonic()
                if done or left <= 0:
                    return told
                # Anew each time: a timer may fire a little early.
                timer = self._clock.call_later(max(0.001, left), changed.set)
                try:
                    await changed.wait()
                finally:
                    timer.cancel()

    async def select(self, sought: Sought) -> list[Operation]:
        """The newest operations of a kind. Raises StoreError."""
        return [self._now(operation) for operation in await self._journal.select(sought)]

    async def counts(self) -> list[Count]:
        """How the operations that are kept have fared. Raises StoreError."""
        return await self._journal.counts()

    def readings(self) -> list[OperationsReading]:
        """How many operations are under way, by broker and type."""
        operations = (runner.operation for runner in self._runners.values())
        counts = Counter((operation.broker, operation.type, operation.state) for operation in operations)
        return [
            OperationsReading(broker, kind, {state: counts[broker, kind, state] for state in _UNDER_WAY})
            for broker in self._brokers
            for kind in OperationType
        ]

    # Runners

    def _now(self, operation: Operation) -> Operation:
        runner = self._runners.get(operation.id)
        return operation if runner is None else runner.operation

    def _runner(self, operation: Operation, *, resumes: bool) -> Runner:
        runner = Runner(
            operation,
            hands=self._hands,
            journal=self._journal,
            policy=self._policy,
            told=self._told,
            resumes=resumes,
            bus=self._bus,
            clock=self._clock,
        )
        self._runners[operation.id] = runner
        self._told(runner)
        return runner

    def _begin(self, runner: Runner) -> None:
        name = runner.operation.id
        task = self._tasks[name] = asyncio.create_task(runner.run(), name=f"operation {name}")
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        self._tasks.pop(name, None)
        if self._stopping:
            return
        self._runners.pop(name, None)
        self._owners = {order: owner for order, owner in self._owners.items() if owner != name}

    def _told(self, runner: Runner) -> None:
        for leg in runner.operation.record.legs:
            for order_id in (leg.order_id, leg.cancel_id):
                if order_id:
                    self._owners[order_id] = runner.operation.id
        for watcher in self._watchers.get(runner.operation.id, ()):
            watcher.set()

    def _hear(self, event: OrderStateChanged) -> None:
        runner = self._runners.get(self._owners.get(event.order, ""))
        if runner is not None:
            runner.wake()

    def _no_longer_told(self, event: StreamClosed) -> None:
        if event.stream == FILLS:
            for runner in self._runners.values():
                if runner.operation.broker == event.broker:
                    runner.look_sooner()


class _Watch:
    """Hears of an operation's steps while it is entered."""

    def __init__(self, watchers: dict[str, set[asyncio.Event]], operation_id: str) -> None:
        self._watchers = watchers
        self._id = operation_id
        self._changed = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        self._watchers.setdefault(self._id, set()).add(self._changed)
        return self._changed

    def __exit__(self, *_: object) -> None:
        others = self._watchers[self._id]
        others.discard(self._changed)
        if not others:
            with suppress(KeyError):
                del self._watchers[self._id]


async def _all_of(looks: Sequence["asyncio.Task[bool]"]) -> bool:
    await asyncio.wait(looks)
    return True


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
