"""A bracket's stop and target are moved without a moment in which the position has none."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.orders.operations.draft import BracketChange
from sidecar.orders.operations.errors import RefusedError, SettledError
from sidecar.orders.operations.inquiries import Told
from sidecar.orders.operations.model import Operation
from sidecar.words import OperationState
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET, OCO, Floor

SYMBOL = "BTCUSDT"


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


async def moved(floor: Floor, operation: Operation, seconds: float = 30, **prices: str) -> Told:
    await floor.engine.modify(operation.id, BracketChange.model_validate(prices))
    return await floor.in_place(operation, seconds)


def bracket(floor: Floor, then: Callable[[Operation], Awaitable[Any]], **changes: Any) -> Any:
    """A bracket whose orders are in place, and what is done with it then."""

    async def life() -> Any:
        operation = await floor.ask(BRACKET, **changes)
        await floor.in_place(operation, 0 if "price" in changes else 100)
        return await then(operation)

    return floor.live(life)


def waiting(floor: Floor, kind: str) -> list[tuple[Decimal | None, Decimal]]:
    found = [order for order in floor.exchange.open() if order.kind == kind]
    return [(order.trigger, order.quantity) for order in found]


def guarded(floor: Floor) -> list[str]:
    """Complains of each change in the book after which the open position has no stop."""
    gaps: list[str] = []
    cancel = floor.exchange._cancel

    def watched(client_id: str) -> Any:
        answer = cancel(client_id)
        stops = sum(order.quantity for order in floor.exchange.open() if order.kind == "STOP_MARKET")
        if stops < floor.exchange.positions.get(SYMBOL, 0):
            gaps.append(shown(floor.exchange))
        return answer

    floor.exchange._cancel = watched  # type: ignore[method-assign] # the seam under test
    return gaps


def test_a_stop_is_moved_without_a_gap_and_the_target_stays(floor: Floor) -> None:
    gaps = guarded(floor)
    told = bracket(floor, lambda operation: moved(floor, operation, stop_price="95"))
    assert waiting(floor, "STOP_MARKET") == [(95, 1)]
    assert waiting(floor, "TAKE_PROFIT_MARKET") == [(110, 1)]
    assert [order.status for order in floor.exchange.booked("target")] == ["NEW"]
    assert (told.operation.state, told.operation.record.recoveries) == (OperationState.IN_PROGRESS, [])
    assert gaps == []


def test_stop_and_target_move_together_and_stay_linked(floor: Floor) -> None:
    async def then(operation: Operation) -> Told:
        await moved(floor, operation, stop_price="105", target_price="120")
        floor.exchange.move(SYMBOL, 121)
        return await floor.ended(operation, 100)

    floor.exchange.prices[SYMBOL] = Decimal(106)
    told = bracket(floor, then)
    assert told.operation.state is OperationState.COMPLETED
    assert floor.exchange.open() == []
    assert floor.exchange.positions[SYMBOL] == 0


def test_moved_as_often_as_one_likes_it_is_never_taken_for_a_failure(floor: Floor) -> None:
    async def then(operation: Operation) -> Told:
        for price in ("91", "92", "93", "94", "90", "95"):
            told = await moved(floor, operation, stop_price=price)
        return told

    told = bracket(floor, then)
    assert told.operation.record.recoveries == []
    assert waiting(floor, "STOP_MARKET") == [(95, 1)]


def test_changes_in_a_hurry_leave_two_stops_at_most_and_the_last_one_in_the_end(floor: Floor) -> None:
    floor.exchange.takes = 2.0
    most: list[int] = []

    async def then(operation: Operation) -> None:
        for price in range(91, 97):
            await moved(floor, operation, 0, stop_price=str(price))
            most.append(len(waiting(floor, "STOP_MARKET")))
        await floor.in_place(operation, 100)

    bracket(floor, then)
    assert max(most) <= 2
    assert waiting(floor, "STOP_MARKET") == [(96, 1)]
    assert len(floor.exchange.booked("stop")) < 6


def test_a_stop_that_cannot_be_moved_stays_and_that_is_told(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", "done", "done", "margin", "margin", "margin"])
    told = bracket(floor, lambda operation: moved(floor, operation, stop_price="95"))
    assert waiting(floor, "STOP_MARKET") == [(90, 1)]
    assert told.operation.state is OperationState.IN_PROGRESS
    assert "the stop stays at 90; it could not be moved to 95" in told.operation.record.errors[0]
    assert floor.alarms == []


def test_a_moved_stop_whose_answer_is_lost_for_good_leaves_the_old_one_and_calls_a_person(tmp_path: Path) -> None:
    floor = Floor(tmp_path, ["done", "done", "done", "lost", "margin", "margin", "margin"])

    async def then(operation: Operation) -> Told:
        told = await moved(floor, operation, stop_price="95")
        await floor.clock.sleep(200)
        return told

    told = bracket(floor, then)
    assert waiting(floor, "STOP_MARKET") == [(90, 1)]
    assert any("the stop stays at 90" in error for error in told.operation.record.errors)
    assert len(floor.alarms) == 1


def test_what_fills_after_a_move_is_protected_where_the_stop_is_now(floor: Floor) -> None:
    async def then(operation: Operation) -> None:
        await floor.clock.sleep(3)
        (entry,) = floor.exchange.booked("entry")
        floor.exchange.fill(entry, Decimal("0.3"))
        await floor.clock.sleep(10)
        await moved(floor, operation, 10, stop_price="92")
        assert waiting(floor, "STOP_MARKET") == [(92, Decimal("0.3"))]
        floor.exchange.fill(entry, Decimal("0.7"))
        await floor.clock.sleep(10)

    gaps = guarded(floor)
    bracket(floor, then, price="95")
    stops = waiting(floor, "STOP_MARKET")
    assert {price for price, _ in stops} == {92}
    assert sum(quantity for _, quantity in stops) == 1
    assert gaps == []


def test_a_stop_that_fills_while_it_is_moved_leaves_nothing_behind(floor: Floor) -> None:
    async def then(operation: Operation) -> Told:
        await moved(floor, operation, 0, stop_price="95")
        floor.exchange.move(SYMBOL, 89)
        return await floor.ended(operation, 300)

    told = bracket(floor, then)
    assert told.operation.state is OperationState.COMPLETED, told.operation.record
    assert floor.exchange.positions[SYMBOL] == 0
    assert floor.exchange.open() == []


def test_a_bracket_without_a_target_gets_one(floor: Floor) -> None:
    bracket(floor, lambda operation: moved(floor, operation, target_price="115"), target_price=None)
    assert waiting(floor, "TAKE_PROFIT_MARKET") == [(115, 1)]


def test_asked_for_again_nothing_is_done(floor: Floor) -> None:
    async def then(operation: Operation) -> int:
        steps = len((await moved(floor, operation, stop_price="95")).steps)
        return len((await moved(floor, operation, stop_price="95")).steps) - steps

    assert bracket(floor, then) == 0


def test_what_cannot_be_moved_is_refused_in_words(floor: Floor) -> None:
    async def then(operation: Operation) -> None:
        with pytest.raises(RefusedError, match="stop_price < price < target_price"):
            await moved(floor, operation, stop_price="111")
        floor.exchange.positions["ETHUSDT"] = Decimal(1)
        pair = await floor.ask(OCO, instrument="ETHUSDT")
        with pytest.raises(RefusedError, match="only a bracket's"):
            await moved(floor, pair, stop_price="95")
        floor.exchange.move(SYMBOL, 111)
        await floor.ended(operation, 100)
        with pytest.raises(SettledError, match="nothing to move"):
            await moved(floor, operation, stop_price="95")

    bracket(floor, then)


def test_an_order_of_a_bracket_is_refused_to_others_with_the_way_to_move_it(floor: Floor) -> None:
    async def then(operation: Operation) -> None:
        stop = next(leg for leg in (await floor.in_place(operation)).operation.record.legs if leg.role == "stop")
        new = {"type": "stop", "side": "sell", "quantity": "1", "stop_price": "95", "reduce_only": True}
        draft = {"type": "modification", "broker": "binance", "order": stop.order_id, "replacement": new}
        with pytest.raises(RefusedError, match=f"POST /v1/operations/{operation.id}/modify"):
            await floor.ask(draft)

    bracket(floor, then)
