"""Cut off before or after any write to the disk, an operation comes to the same end as if nothing had happened."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sidecar.config.model import Operations
from sidecar.orders.operations.model import Operation, Role
from sidecar.words import OperationState
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET, OCO, Floor

SYMBOL = "BTCUSDT"
MOST_WRITES = 200


class Story:
    """One operation, over as many lives as it takes."""

    def __init__(self, floor: Floor, draft: dict[str, Any], then: str) -> None:
        self.floor = floor
        self.draft = draft | {"client_id": "story"}
        self.then = then

    async def live(self) -> Operation:
        floor = self.floor
        operation = await floor.ask(self.draft)
        told = await floor.in_place(operation, 120)
        if self.then == "rollback":
            if not told.operation.state.final and not told.operation.record.unwinding:
                await floor.engine.roll_back(operation.id, "asked for")
        elif self.then != "nothing":
            floor.exchange.move(SYMBOL, int(self.then))
        return (await floor.ended(operation, 120)).operation


def consistent(floor: Floor, operation: Operation, before: int) -> None:
    """Nothing is orphaned, doubled or unprotected, and what is not known is told."""
    exchange = floor.exchange
    held = exchange.positions.get(SYMBOL, Decimal(0))
    traded = sum((order.sign * order.executed for order in exchange.orders.values()), Decimal(before))
    known = sum((leg.filled for leg in operation.record.legs), Decimal(0))
    assert exchange.twice == [], shown(exchange)
    assert held == traded
    assert known == sum(order.executed for order in exchange.orders.values()), shown(exchange)
    stops = [order.quantity for order in exchange.open() if order.kind == "STOP_MARKET"]
    if any(leg.lost and leg.role is Role.FLATTEN for leg in operation.record.legs):
        # It may have closed the position, so it is not sent again: the stop is what remains, and a person knows.
        assert stops == [held], shown(exchange)
        assert len(exchange.open()) == 1
    elif operation.state.final:
        assert exchange.open() == [], shown(exchange)
        assert held in {0, before}, shown(exchange)
    else:
        assert stops == [held], shown(exchange)
        assert len(exchange.open()) <= 2, shown(exchange)
    lost = [leg.name for leg in operation.record.legs if leg.lost]
    assert bool(floor.alarms) is bool(lost), (floor.alarms, lost)


@pytest.mark.parametrize("dies_before", [True, False], ids=["before the write", "after the write"])
@pytest.mark.parametrize(
    ("draft", "then", "end"),
    [
        (BRACKET, "89", OperationState.COMPLETED),
        (BRACKET, "rollback", OperationState.ROLLED_BACK),
        (OCO, "111", OperationState.COMPLETED),
    ],
)
def test_a_crash_at_any_checkpoint_changes_nothing(
    draft: dict[str, Any], then: str, end: OperationState, dies_before: bool
) -> None:
    before, lost = (1 if draft is OCO else 0), 0
    for checkpoint in range(1, MOST_WRITES):
        with TemporaryDirectory() as folder:
            floor = Floor(Path(folder))
            floor.policy = Operations(look_seconds=20)
            floor.exchange.positions[SYMBOL] = Decimal(before)
            floor.dies_at, floor.dies_before = checkpoint, dies_before
            story = Story(floor, draft, then)
            died = _dies(floor, story)
            floor.dies_at = None
            operation = floor.live(story.live)
            consistent(floor, operation, before)
            lost += any(leg.lost for leg in operation.record.legs)
            assert operation.state is end or floor.alarms, (checkpoint, operation.record, shown(floor.exchange))
            if not died:
                cuts = f"cut off at {checkpoint - 1} checkpoints, {lost} of which left an order in doubt"
                sys.stdout.write(f"{operation.type} then {then}: {cuts}\n")
                # Only what was cut off between "on its way" on the disk and the wire can be in doubt for good.
                assert lost <= len(operation.record.legs)
                assert checkpoint > 10
                return
    raise AssertionError("it never ended")


def _dies(floor: Floor, story: Story) -> bool:
    async def life() -> None:
        living = asyncio.create_task(story.live())
        while not living.done() and not floor.exchange.dead:
            await floor.clock.sleep(0.05)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    floor.live(life, crash=True)
    return floor.exchange.dead
