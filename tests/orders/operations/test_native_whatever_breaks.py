"""Whatever breaks and whoever meddles, a native bracket ends with no position that lacks its stop, and no orphan."""

import asyncio
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from sidecar.orders.operations.errors import OperationError
from sidecar.orders.operations.model import Operation
from sidecar.store import StoreError
from tests.orders.operations.native import NativeFloor, Oanda, Spot, Venue

TRIALS = 12
FATES = ("done", "done", "done", "lost", "lost and done", "unreachable")
ACTIONS = ("wait", "wait", "low", "high", "middle", "cancel", "roll back", "crash", "crash")
AWAY = {Oanda: "1.08", Spot: "55000"}
"""An entry that waits."""
MIDDLE = {Oanda: "1.08", Spot: "54000"}
"""A price that fills it, and neither of its exits."""

seen: Counter[str] = Counter()


async def ask(floor: NativeFloor, draft: dict[str, str]) -> Operation | None:
    try:
        return await floor.ask(draft, client_id="trial")
    except (OperationError, StoreError):
        return None


async def act(floor: NativeFloor, rng: Random, draft: dict[str, str], steps: int) -> None:
    """Some of what may happen within one life."""
    operation = await ask(floor, draft)
    for _ in range(steps):
        await floor.clock.sleep(rng.choice((0.2, 1, 5, 30)))
        what = rng.choice(ACTIONS)
        if floor.venue.dead or operation is None:
            return
        seen[what] += 1
        if what == "crash":
            floor.dies_at, floor.dies_before = floor.writes + rng.randint(1, 4), rng.random() < 0.5
        elif what == "cancel":
            waiting = [order.leg for order in floor.venue.booked() if order.open]
            if waiting:
                floor.venue.cancel(rng.choice(waiting))
        elif what == "roll back":
            try:
                await floor.engine.roll_back(operation.id, "the trial asked for it")
            except (OperationError, StoreError):
                return
        elif what != "wait":
            venue = type(floor.venue)
            floor.venue.move(MIDDLE[venue] if what == "middle" else getattr(venue, what))


def life(floor: NativeFloor, rng: Random, draft: dict[str, str]) -> None:
    async def until_it_dies() -> None:
        living = asyncio.create_task(act(floor, rng, draft, rng.randint(1, 5)))
        while not living.done() and not floor.venue.dead:
            await floor.clock.sleep(0.05)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    floor.live(until_it_dies, crash=True)
    floor.dies_at = None


def judged(floor: NativeFloor, operation: Operation) -> None:
    venue, booked = floor.venue, floor.venue.booked()
    told = f"{operation.record}\n{booked}"
    names = [order.leg for order in booked]
    seen[str(operation.state)] += 1
    seen["called a person"] += bool(floor.alarms)
    assert len(names) == len(set(names)), told
    if any(leg.lost for leg in operation.record.legs):
        assert floor.alarms, told
        return
    assert sum((leg.filled for leg in operation.record.legs), Decimal(0)) == sum(order.filled for order in booked), told
    if floor.alarms and not operation.state.final:
        return
    if operation.state.final:
        assert not any(order.open for order in booked), told
        assert venue.held == 0, told
    elif venue.held:
        assert venue.protected() == venue.held, told
    else:
        raise AssertionError(f"it waits for nothing: {told}")


@pytest.mark.parametrize("venue", [Oanda, Spot])
def test_no_position_is_left_without_a_stop_and_no_order_without_its_bracket(venue: type[Venue]) -> None:
    for seed in range(TRIALS):
        rng = Random(f"{venue.profile} {seed}")
        with TemporaryDirectory() as folder:
            options = {"fill_cap": Decimal("0.004")} if venue is Spot and rng.random() < 0.3 else {}
            floor = NativeFloor(Path(folder), venue, [rng.choice(FATES) for _ in range(4)], **options)
            waits = {"price": AWAY[venue], "fill_seconds": "300"} if rng.random() < 0.5 else {}
            draft = venue.draft | waits
            for _ in range(rng.randint(1, 3)):
                life(floor, rng, draft)

            async def settle(floor: NativeFloor = floor, draft: dict[str, str] = draft) -> Operation | None:
                operation = await ask(floor, draft)
                await floor.clock.sleep(900)
                return None if operation is None else (await floor.engine.tell(operation.id)).operation

            operation = floor.live(settle)
            assert operation is not None
            try:
                judged(floor, operation)
            except AssertionError:
                sys.stdout.write(f"seed {seed} at {venue.profile}\n")
                raise
    sys.stdout.write(f"{venue.profile}: {dict(seen)}\n")
