"""A bracket never leaves a filled entry without its stop, and never an order behind."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET, Floor

SYMBOL = "BTCUSDT"


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def bracket(floor: Floor, then: Callable[[Any], Awaitable[Any]] | None = None, **changes: Any) -> Told:
    """A bracket from its beginning to its end in one life; `then` happens once it is in place."""

    async def life() -> Told:
        operation = await floor.ask(BRACKET, **changes)
        told = await floor.in_place(operation)
        if then is not None and not told.operation.state.final:
            await then(operation)
        return await floor.ended(operation, 1000)

    return floor.live(life)


def book(floor: Floor) -> dict[str, str]:
    return {name.rpartition("-")[2]: order.status for name, order in floor.exchange.orders.items()}


def test_entry_stop_and_target_come_in_this_order(floor: Floor) -> None:
    told = bracket(floor)
    assert told.operation.state is OperationState.IN_PROGRESS, told.operation.record
    assert book(floor) == {"entry1": "FILLED", "stop2": "NEW", "target3": "NEW"}
    stop = floor.exchange.booked("stop")[0]
    assert (stop.side, stop.quantity, stop.trigger, stop.reduce_only) == ("SELL", 1, 90, True)


@pytest.mark.parametrize(("price", "left"), [(111, "stop2"), (89, "target3")])
def test_when_one_exit_fills_the_other_is_cancelled(floor: Floor, price: int, left: str) -> None:
    async def then(_: Any) -> None:
        floor.exchange.move(SYMBOL, price)

    told = bracket(floor, then)
    assert told.operation.state is OperationState.COMPLETED
    assert book(floor)[left] == "CANCELED"
    assert floor.exchange.positions[SYMBOL] == 0
    assert floor.alarms == []


def test_an_exit_that_fills_while_the_sidecar_is_down_has_the_other_cancelled_at_the_start(floor: Floor) -> None:
    async def first() -> Any:
        operation = await floor.ask(BRACKET)
        await floor.in_place(operation)
        return operation

    operation = floor.live(first, crash=True)
    floor.exchange.move(SYMBOL, 111)
    told = floor.live(lambda: floor.ended(operation, 100))
    assert told.operation.state is OperationState.COMPLETED
    assert book(floor) == {"entry1": "FILLED", "stop2": "CANCELED", "target3": "FILLED"}


def test_an_entry_that_is_refused_ends_the_bracket(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["margin"])
    told = bracket(floor)
    assert told.operation.state is OperationState.FAILED
    assert "-2019" in told.operation.record.reason
    assert floor.exchange.orders == {}


def test_an_entry_that_does_not_fill_is_taken_back_in_time(floor: Floor) -> None:
    told = bracket(floor, price="95", fill_seconds=20)
    assert told.operation.state is OperationState.FAILED
    assert book(floor) == {"entry1": "CANCELED"}


def test_what_has_filled_of_an_entry_is_protected_at_once_and_the_rest_when_it_fills(floor: Floor) -> None:
    async def life() -> Told:
        operation = await floor.ask(BRACKET, price="95")
        await floor.clock.sleep(3)
        entry = floor.exchange.booked("entry")[0]
        for part in ("0.3", "0.5"):
            floor.exchange.fill(entry, Decimal(part))
            await floor.clock.sleep(10)
            stops = [order for order in floor.exchange.open() if order.kind == "STOP_MARKET"]
            assert sum(stop.quantity for stop in stops) == floor.exchange.positions[SYMBOL]
        return await floor.in_place(operation)

    told = floor.live(life)
    assert [target.quantity for target in floor.exchange.booked("target")] == [Decimal("0.8")]
    assert told.operation.state is OperationState.IN_PROGRESS


def test_a_stop_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", "margin"])
    told = bracket(floor)
    assert book(floor) == {"entry1": "FILLED", "stop3": "NEW", "target4": "NEW"}
    assert told.operation.record.recoveries == ["retried"]


def test_a_position_whose_stop_cannot_be_placed_is_closed_at_the_market(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", "margin", "margin", "margin"])
    told = bracket(floor)
    assert told.operation.state is OperationState.ROLLED_BACK
    assert floor.exchange.positions[SYMBOL] == 0
    assert [order.kind for order in floor.exchange.booked("flatten")] == ["MARKET"]


def test_a_position_that_can_neither_be_protected_nor_closed_calls_a_person(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", *["margin"] * 6])
    told = bracket(floor)
    assert told.operation.state is OperationState.FAILED
    assert any("could not be closed" in alarm for alarm in floor.alarms)


def test_a_broker_that_is_away_while_the_stop_is_due_calls_a_person_within_seconds(floor: Floor) -> None:
    async def life() -> Told:
        operation = await floor.ask(BRACKET)
        while not floor.exchange.booked("entry"):
            await floor.clock.sleep(0.01)
        floor.exchange.away = True
        began = floor.clock.monotonic()
        while not floor.alarms:
            await floor.clock.sleep(0.5)
        assert floor.clock.monotonic() - began < floor.policy.protect_seconds + 2 * floor.policy.look_seconds
        floor.exchange.away = False
        return await floor.in_place(operation)

    told = floor.live(life)
    assert told.operation.state is OperationState.IN_PROGRESS
    assert [stop.status for stop in floor.exchange.booked("stop")] == ["NEW"], shown(floor.exchange)


def test_a_target_that_cannot_be_placed_leaves_the_stop(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", "done", "margin", "margin", "margin"])

    async def then(_: Any) -> None:
        floor.exchange.move(SYMBOL, 89)

    told = bracket(floor, then)
    assert told.operation.state is OperationState.PARTIALLY_COMPLETED
    assert floor.exchange.positions[SYMBOL] == 0


def test_rolled_back_it_leaves_neither_position_nor_order(floor: Floor) -> None:
    async def then(operation: Any) -> None:
        await floor.engine.roll_back(operation.id, "its bot asked for it")

    told = bracket(floor, then)
    assert told.operation.state is OperationState.ROLLED_BACK
    assert book(floor) == {"entry1": "FILLED", "stop2": "CANCELED", "target3": "CANCELED", "flatten4": "FILLED"}
    assert floor.exchange.positions[SYMBOL] == 0
    assert floor.alarms == []


def test_a_stop_that_somebody_else_cancels_is_placed_again(floor: Floor) -> None:
    async def then(_: Any) -> None:
        floor.exchange.booked("stop")[0].status = "CANCELED"
        await floor.clock.sleep(20)

    bracket(floor, then)
    assert [stop.status for stop in floor.exchange.booked("stop")] == ["CANCELED", "NEW"]


def test_both_exits_filled_are_detected_and_traded_back(floor: Floor) -> None:
    floor.exchange.honours_reduce_only = False

    async def then(_: Any) -> None:
        floor.exchange.move(SYMBOL, 111)
        floor.exchange.move(SYMBOL, 89)

    told = bracket(floor, then)
    assert told.operation.state is OperationState.PARTIALLY_COMPLETED
    assert floor.exchange.positions[SYMBOL] == 0
    assert any("both traded" in alarm for alarm in floor.alarms)


def test_a_full_order_queue_takes_a_stop_and_no_entry(tmp_path: Path) -> None:
    floor = Floor(tmp_path, queue={"size": 2})

    async def life() -> Told:
        operation = await floor.ask(BRACKET, price="95")
        await floor.in_place(operation, 1)
        for number in range(2):  # the exchange tells no price, without which these are not sent
            await floor.place(f"bot-{number}", price_guard={"reference": "100", "tolerance": "0.01"})
        other = await floor.ask(BRACKET, instrument="SOLUSDT")
        floor.exchange.move(SYMBOL, 95)
        told = await floor.in_place(operation, 30)
        entry = (await floor.engine.tell(other.id)).operation.record.legs[0]
        assert "queue.size is 2" in entry.reason
        return told

    assert floor.live(life).operation.state is OperationState.IN_PROGRESS
    assert [stop.status for stop in floor.exchange.booked("stop")] == ["NEW"]
