"""How operations are: asked for, waited for, counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.clock import Clock
from sidecar.orders.operations.errors import UnknownOperationError
from sidecar.orders.operations.journal import Count, Journal, Sought, Step
from sidecar.orders.operations.kinds import settled
from sidecar.orders.operations.model import Operation
from sidecar.orders.operations.runner import Runner
from sidecar.orders.watchers import Watchers
from sidecar.telemetry.state import OperationsReading
from sidecar.words import OperationState, OperationType

_UNDER_WAY: Final = tuple(state for state in OperationState if not state.final)


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of one operation."""

    operation: Operation
    steps: tuple[Step, ...] = ()


class OperationInquiries:
    """Tells of the operations that are under way, and of those that the journal alone still knows."""

    def __init__(self, journal: Journal, brokers: Sequence[str], clock: Clock) -> None:
        """`brokers`: those whose operations are counted."""
        self._journal = journal
        self._brokers = tuple(brokers)
        self._clock = clock
        self._runners: dict[str, Runner] = {}
        self._watchers = Watchers(clock)

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
        with self._watchers.watch(operation_id) as watch:
            while True:
                watch.clear()
                told = await self.tell(operation_id)
                done = told.operation.state.final if final else settled(told.operation)
                left = ends - self._clock.monotonic()
                if done or left <= 0:
                    return told
                await watch.heard(left)

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

    def _now(self, operation: Operation) -> Operation:
        runner = self._runners.get(operation.id)
        return operation if runner is None else runner.operation
