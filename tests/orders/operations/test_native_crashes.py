"""Cut off before or after any write to the disk, a native bracket comes to the same end as if nothing had happened."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sidecar.config.model import Operations
from sidecar.orders.operations.model import Operation
from sidecar.words import OperationState
from tests.orders.operations.native import NativeFloor, Oanda, Spot, Venue

MOST_WRITES = 200


async def story(floor: NativeFloor, then: str) -> Operation:
    """One bracket from its beginning to its end, over as many lives as it takes."""
    operation = await floor.ask(floor.venue.draft, client_id="story")
    told = await floor.in_place(operation, 200)
    if then == "rollback":
        if not told.operation.state.final and not told.operation.record.unwinding:
            await floor.engine.roll_back(operation.id, "asked for")
    else:
        floor.venue.move(floor.venue.low)
    return (await floor.ended(operation, 200)).operation


def consistent(floor: NativeFloor, operation: Operation) -> None:
    """No position without a stop, no orphan, no double leg, and the books are equal."""
    venue, booked = floor.venue, floor.venue.booked()
    names = [order.leg for order in booked]
    assert len(names) == len(set(names)), booked
    known = sum((leg.filled for leg in operation.record.legs), Decimal(0))
    assert known == sum(order.filled for order in booked), (operation.record, booked)
    lost = [leg.name for leg in operation.record.legs if leg.lost]
    assert bool(floor.alarms) is bool(lost), (floor.alarms, lost)
    if any(name.startswith("flatten") for name in lost):
        # It may have closed the position, so it is not sent again, and a person knows.
        return
    assert operation.state.final, (operation.record, booked)
    assert not any(order.open for order in booked), booked
    assert venue.held == 0, booked


BEFORE, AFTER = True, False
"""Whether the process dies before a write or after it."""


@pytest.mark.parametrize(
    ("venue", "then", "dies_before", "end"),
    [
        (Oanda, "rollback", BEFORE, OperationState.ROLLED_BACK),
        (Oanda, "rollback", AFTER, OperationState.ROLLED_BACK),
        (Spot, "rollback", BEFORE, OperationState.ROLLED_BACK),
        (Spot, "rollback", AFTER, OperationState.ROLLED_BACK),
        (Spot, "the stop trades", AFTER, OperationState.COMPLETED),
    ],
)
def test_a_crash_at_any_checkpoint_changes_nothing(
    venue: type[Venue], then: str, dies_before: bool, end: OperationState
) -> None:
    lost = 0
    for checkpoint in range(1, MOST_WRITES):
        with TemporaryDirectory() as folder:
            floor = NativeFloor(Path(folder), venue)
            floor.policy = Operations(look_seconds=20)
            floor.dies_at, floor.dies_before = checkpoint, dies_before
            died = _dies(floor, then)
            floor.dies_at = None
            operation = floor.live(lambda: story(floor, then))  # noqa: B023 - it is over before the next turn
            consistent(floor, operation)
            lost += any(leg.lost for leg in operation.record.legs)
            assert operation.state is end or floor.alarms, (checkpoint, operation.record, floor.venue.booked())
            if not died:
                cuts = f"cut off at {checkpoint - 1} checkpoints, {lost} of which left an order in doubt"
                sys.stdout.write(f"{venue.profile} then {then}: {cuts}\n")
                # Only what was cut off between "on its way" on the disk and the wire can be in doubt for good.
                assert lost <= len(operation.record.legs)
                assert checkpoint > 10
                return
    raise AssertionError("it never ended")


def _dies(floor: NativeFloor, then: str) -> bool:
    async def life() -> None:
        living = asyncio.create_task(story(floor, then))
        while not living.done() and not floor.venue.dead:
            await floor.clock.sleep(0.05)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    floor.live(life, crash=True)
    return floor.venue.dead
