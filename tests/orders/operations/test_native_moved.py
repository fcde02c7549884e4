"""A stop that the broker placed along with its entry is moved like any other, but not out of a pair."""

from pathlib import Path

import pytest

from sidecar.orders.operations.draft import BracketChange
from sidecar.orders.operations.errors import RefusedError
from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState
from tests.orders.operations.native import NativeFloor, Oanda, Spot


def test_a_stop_on_fill_is_moved_without_a_gap_and_ends_the_bracket_where_it_stands_now(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Oanda)

    async def life() -> Told:
        operation = await floor.ask(Oanda.draft)
        await floor.in_place(operation, 60)
        await floor.engine.modify(operation.id, BracketChange.model_validate({"stop_price": "1.08"}))
        await floor.in_place(operation, 60)
        assert floor.venue.status() == {
            "entry1": "FILLED",
            "target3": "PENDING",
            "stop2": "CANCELLED",
            "stop4": "PENDING",
        }
        floor.venue.move("1.07")
        return await floor.ended(operation, 60)

    operation = floor.live(life).operation
    assert operation.state is OperationState.COMPLETED, operation.record
    assert floor.venue.held == 0
    assert not any(order.open for order in floor.venue.booked())
    assert floor.alarms == []


def test_a_stop_of_a_pair_is_not_moved(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot)

    async def life() -> None:
        operation = await floor.ask(Spot.draft)
        await floor.in_place(operation, 60)
        with pytest.raises(RefusedError, match="one pair"):
            await floor.engine.modify(operation.id, BracketChange.model_validate({"stop_price": "55000"}))

    floor.live(life)
    assert floor.venue.protected() == floor.venue.held > 0
