"""Where operations are asked for, undone and moved: one runner for each that is under way."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final

from sidecar.clock import Clock
from sidecar.config.model import Operations
from sidecar.orders.desk import OrderDesk
from sidecar.orders.operations.draft import AnyDraft, BracketChange
from sidecar.orders.operations.errors import ClosingError, SettledError, TooManyError, TwiceError, UnwrittenError
from sidecar.orders.operations.hands import Hands
from sidecar.orders.operations.inquiries import OperationInquiries
from sidecar.orders.operations.intake import Intake
from sidecar.orders.operations.journal import Journal, Sought
from sidecar.orders.operations.model import Operation, Record
from sidecar.orders.operations.runner import Runner
from sidecar.orders.operations.tracing import begun
from sidecar.store import StoreError
from sidecar.telemetry.context import new_span_id, parse_traceparent, traceparent_of
from sidecar.telemetry.events import FILLS, Bus, OperationChanged, OrderStateChanged, StreamClosed
from sidecar.words import OperationState, OperationType

_ID_BITS: Final = 80


class OperationEngine(OperationInquiries):
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
        super().__init__(journal, brokers, clock)
        self._policy = policy
        self._bus = bus
        self._rng = rng
        self._hands = Hands(desk, clock)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._owners: dict[str, str] = {}
        """Operation ids by the ids of the orders, and the cancels, that belong to them."""
        self._intake = Intake(desk, self._owners)
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
        try:
            if looks:
                await asyncio.wait(looks, timeout=seconds)
        finally:
            for look in looks:
                look.cancel()

    def wind_down(self) -> None:
        """Begin nothing any more; what is on the disk goes on at the next start."""
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()
        self._watchers.tell_all()

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
        await self._intake.examine(operation)
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

    # Undoing one

    async def roll_back(self, operation_id: str, reason: str) -> Operation:
        """Undo an operation; returns once that is written down. Raises OperationError, StoreError."""
        told = await self.tell(operation_id)
        runner = self._runners.get(operation_id)
        if runner is None or told.operation.state.final:
            raise SettledError(f"operation {operation_id} is {told.operation.state}: there is nothing to undo")
        if told.operation.type is OperationType.BULK_CANCEL:
            raise SettledError("a bulk cancel cannot be undone: what is cancelled stays cancelled")
        with self._watchers.watch(operation_id) as watch:
            runner.unwind(reason)
            while not (runner.operation.record.unwinding or runner.operation.state.final or self._stopping):
                watch.clear()
                await watch.heard()
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
        shift = self._intake.shift(runner.operation, change)
        if not shift.prices:
            return runner.operation
        with self._watchers.watch(operation_id) as watch:
            runner.shift(shift)
            while shift in runner.shifts:
                state = runner.operation.state
                if state.final or runner.operation.record.unwinding:
                    raise SettledError(f"not moved: meanwhile operation {operation_id} is {state}")
                if self._stopping:
                    raise ClosingError("not moved: the sidecar is being stopped")
                watch.clear()
                await watch.heard()
        return runner.operation

    # Runners

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
        if self._stopping:  # it was written down meanwhile, and the next start goes on with it
            return
        name = runner.operation.id
        task = self._tasks[name] = asyncio.create_task(runner.run(), name=f"operation {name}")
        task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: str) -> None:
        self._tasks.pop(name, None)
        if self._stopping:
            return
        self._runners.pop(name, None)
        for order in [order for order, owner in self._owners.items() if owner == name]:
            del self._owners[order]

    def _told(self, runner: Runner) -> None:
        for leg in runner.operation.record.legs:
            for order_id in (leg.order_id, leg.cancel_id):
                if order_id:
                    self._owners[order_id] = runner.operation.id
        self._watchers.tell(runner.operation.id)

    def _hear(self, event: OrderStateChanged) -> None:
        runner = self._runners.get(self._owners.get(event.order, ""))
        if runner is not None:
            runner.wake()

    def _no_longer_told(self, event: StreamClosed) -> None:
        if event.stream == FILLS:
            for runner in self._runners.values():
                if runner.operation.broker == event.broker:
                    runner.look_sooner()
