"""What the statistics tell of a day with faults and a restart is what happened, and what the metrics tell."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from sidecar.api.operation_views import Statistics, summed
from sidecar.orders.operations.journal import Sought
from sidecar.orders.operations.model import Operation
from sidecar.telemetry.metrics.operations import OperationMetrics
from sidecar.words import OperationState, OperationType
from tests.orders.operations.floor import BRACKET, OCO, Floor
from tests.telemetry.seen_samples import SHAPE

CLOSE: dict[str, Any] = {"type": "position_close", "broker": "binance", "side": "buy", "quantity": "1"}
FATES = ["done", "margin", "done", "done", "done", "margin", "margin", "margin", "done", "done", "definite", "lost"]


class Day:
    """Operations of several types over two lives, and all that was told of them."""

    def __init__(self, folder: Path) -> None:
        self.floor = Floor(folder, FATES)
        self.metrics = OperationMetrics([SHAPE])
        self.begun: list[Operation] = []
        made = self.floor._bench

        def bench() -> Any:
            found = made()
            self.metrics.subscribe(found.gateway._bus)
            return found

        self.floor._bench = bench  # type: ignore[method-assign] # the counters outlive the process, as in Prometheus

    async def ask(self, draft: dict[str, Any], number: int) -> Operation:
        instrument = f"I{number}"
        if draft is not BRACKET:
            self.floor.exchange.positions[instrument] = Decimal(1)
        operation = await self.floor.ask(draft, instrument=instrument)
        self.begun.append(operation)
        await self.floor.in_place(operation, 200)
        return operation

    async def morning(self) -> None:
        await self.ask(BRACKET, 1)  # its stop is refused once
        await self.ask(BRACKET, 2)  # its stop is refused until it is undone
        await self.ask(OCO, 3)
        await self.ask(CLOSE, 4)  # its order is lost
        self.floor.exchange.move("I1", 111)
        await self.floor.ended(self.begun[0], 100)
        await self.floor.ask(BRACKET, instrument="I5")  # cut off by the crash

    async def evening(self) -> tuple[list[Statistics], list[Operation]]:
        await self.floor.clock.sleep(60)
        self.floor.exchange.move("I3", 89)
        await self.floor.clock.sleep(60)
        counts = await self.floor.engine.counts()
        self.metrics.show(self.floor.engine.readings())
        return [summed(kind, counts) for kind in OperationType], await self.floor.engine.select(Sought())


def totals(family: Mapping[tuple[str, ...], Any], place: int) -> Counter[tuple[str, str]]:
    """A family's values by type and the label at a place; those that are 0 left out."""
    found: Counter[tuple[str, str]] = Counter()
    for labels, cell in family.items():
        found[labels[1], labels[place]] += int(cell.value)
    return +found


def test_statistics_metrics_and_what_happened_agree_after_a_day_with_faults_and_a_restart(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.floor.live(day.morning, crash=True)
    told, operations = day.floor.live(day.evening)

    happened = Counter((operation.type, operation.state) for operation in operations)
    ended = {key: count for key, count in happened.items() if key[1].final}
    assert {state for _, state in happened} >= {OperationState.COMPLETED, OperationState.FAILED}, happened
    assert OperationState.ROLLED_BACK in {state for _, state in happened}
    assert OperationState.IN_PROGRESS in {state for _, state in happened}
    metrics = {family.name: family for family in day.metrics.families}
    assert totals(metrics["sidecar_operation_results_total"], 2) == ended
    active = {key: count for key, count in happened.items() if not key[1].final}
    assert totals(metrics["sidecar_operations"], 2) == active
    assert totals(metrics["sidecar_operations_started_total"], 1) == Counter(
        {(one.type, one.type): one.started for one in told}
    )
    recoveries = totals(metrics["sidecar_operation_recoveries_total"], 2)
    for one in told:
        mine = [operation for operation in operations if operation.type is one.type]
        over = [operation for operation in mine if operation.state.final]
        troubled = [operation for operation in mine if operation.record.recoveries]
        good = sum(operation.state is OperationState.COMPLETED for operation in mine)
        assert (one.started, one.active) == (len(mine), len(mine) - len(over))
        assert (one.completed, one.failed) == (good, happened[one.type, OperationState.FAILED])
        assert one.success_rate == (good / len(over) if over else None)
        assert one.recovery_attempts == len(troubled) == recoveries[one.type, "attempted"]
        mended, lost = recoveries[one.type, "succeeded"], recoveries[one.type, "failed"]
        assert one.recovery_success_rate == (mended / (mended + lost) if mended + lost else None)
    assert sum(one.recovery_attempts for one in told) >= 3
