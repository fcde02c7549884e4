"""Pairs, closes, bulk cancels and modifications end as they were meant, or say exactly what did not."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState
from tests.orders.operations.floor import BRACKET, CLOSE, OCO, Floor

SYMBOL = "BTCUSDT"


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return holding(Floor(tmp_path))


def holding(floor: Floor) -> Floor:
    floor.exchange.positions[SYMBOL] = Decimal(1)
    return floor


def told(floor: Floor, draft: dict[str, Any], then: Callable[[Any], Awaitable[Any]] | None = None) -> Told:
    """An operation from its beginning to its end; `then` happens once it is in place."""

    async def life() -> Told:
        operation = await floor.ask(draft)
        there = await floor.in_place(operation)
        if then is not None and not there.operation.state.final:
            await then(operation)
        return await floor.ended(operation, 500)

    return floor.live(life)


@pytest.mark.parametrize(("price", "left"), [(111, "first"), (89, "second")])
def test_when_one_of_a_pair_fills_the_other_is_cancelled(floor: Floor, price: int, left: str) -> None:
    async def then(_: Any) -> None:
        floor.exchange.move(SYMBOL, price)

    found = told(floor, OCO, then)
    assert found.operation.state is OperationState.COMPLETED
    assert [order.status for order in floor.exchange.booked(left)] == ["CANCELED"]


def test_a_pair_whose_second_order_is_refused_takes_the_first_back(tmp_path: Path) -> None:
    floor = holding(Floor(tmp_path, ["done", "margin", "margin", "margin"]))
    found = told(floor, OCO)
    assert found.operation.state is OperationState.ROLLED_BACK
    assert floor.exchange.open() == []
    assert floor.exchange.positions[SYMBOL] == 1


def test_a_pair_of_which_both_fill_is_traded_back_to_one(floor: Floor) -> None:
    floor.exchange.honours_reduce_only = False

    async def then(_: Any) -> None:
        floor.exchange.move(SYMBOL, 111)
        floor.exchange.move(SYMBOL, 89)

    found = told(floor, OCO, then)
    assert found.operation.state is OperationState.PARTIALLY_COMPLETED
    assert floor.exchange.positions[SYMBOL] == 0
    assert len(floor.alarms) == 1


def test_a_close_goes_on_until_all_is_closed(tmp_path: Path) -> None:
    floor = holding(Floor(tmp_path, ["part", "definite"]))
    assert told(floor, CLOSE).operation.state is OperationState.COMPLETED
    assert [order.quantity for order in floor.exchange.booked("close")] == [1, Decimal("0.6")]
    assert floor.exchange.positions[SYMBOL] == 0


def test_a_close_that_may_have_been_executed_is_not_sent_again(tmp_path: Path) -> None:
    floor = holding(Floor(tmp_path, ["lost"]))
    assert told(floor, CLOSE).operation.state is OperationState.FAILED
    assert [client_id for method, client_id in floor.exchange.sent if method == "POST"] != []
    assert sum(method == "POST" for method, _ in floor.exchange.sent) == 1
    assert len(floor.alarms) == 1


def test_a_bulk_cancel_tells_of_each_order_and_leaves_brackets_alone(floor: Floor) -> None:
    async def life() -> Told:
        await floor.in_place(await floor.ask(BRACKET))
        resting = [await floor.place(f"bot-{number}", type="limit", price="80") for number in (1, 2)]
        for taken in resting:
            await floor.settled(taken)
        floor.exchange.fill(floor.exchange.orders["bot-2"], Decimal(1))
        return await floor.ended(await floor.ask({"type": "bulk_cancel", "broker": "binance"}), 500)

    found = floor.live(life)
    assert found.operation.state is OperationState.PARTIALLY_COMPLETED
    assert sorted(leg.state for leg in found.operation.record.legs) == ["cancelled", "filled"]
    assert sorted(order.kind for order in floor.exchange.open()) == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]


@pytest.mark.parametrize("refused", [False, True])
def test_a_stop_is_moved_without_a_gap(tmp_path: Path, *, refused: bool) -> None:
    floor = holding(Floor(tmp_path, ["done", *(["margin"] * 3 if refused else [])]))
    stop = {"type": "stop", "side": "sell", "reduce_only": True, "quantity": "1"}

    async def life() -> Told:
        taken = await floor.place("bot-1", stop_price="90", **stop)
        await floor.settled(taken)
        new = stop | {"stop_price": "95"}
        draft = {"type": "modification", "broker": "binance", "order": taken.order.id, "replacement": new}
        return await floor.ended(await floor.ask(draft), 500)

    found = floor.live(life)
    assert found.operation.state is (OperationState.FAILED if refused else OperationState.COMPLETED)
    assert [order.trigger for order in floor.exchange.open()] == [90 if refused else 95]
    sent = [method for method, _ in floor.exchange.sent if method != "GET"]
    assert sent == (["POST"] * 4 if refused else ["POST", "POST", "DELETE"])


def test_a_limit_is_replaced_for_what_it_has_not_traded(floor: Floor) -> None:
    async def life() -> Told:
        taken = await floor.place("bot-1", type="limit", price="80")
        await floor.settled(taken)
        floor.exchange.fill(floor.exchange.orders["bot-1"], Decimal("0.4"))
        new = {"type": "limit", "side": "buy", "quantity": "1", "price": "81"}
        draft = {"type": "modification", "broker": "binance", "order": taken.order.id, "replacement": new}
        return await floor.ended(await floor.ask(draft), 500)

    assert floor.live(life).operation.state is OperationState.COMPLETED
    assert [(order.limit, order.quantity) for order in floor.exchange.open()] == [(81, Decimal("0.6"))]


def test_a_close_that_takes_longer_than_its_bot_may_be_away_goes_on_all_the_same(tmp_path: Path) -> None:
    floor = holding(Floor(tmp_path, ["part"]))

    async def life() -> Told:
        operation = await floor.ask(CLOSE)
        while not floor.exchange.booked("close"):
            await floor.clock.sleep(0.01)
        floor.exchange.away = True
        await floor.clock.sleep(2 * floor.policy.stale_seconds)
        floor.exchange.away = False
        return await floor.ended(operation, 500)

    assert floor.live(life).operation.state is OperationState.COMPLETED
    assert floor.exchange.positions[SYMBOL] == 0


def test_a_modification_undone_while_the_old_order_is_being_cancelled_is_carried_out(floor: Floor) -> None:
    async def life() -> Told:
        taken = await floor.place("bot-1", type="limit", price="80")
        await floor.settled(taken)
        new = {"type": "limit", "side": "buy", "quantity": "1", "price": "81"}
        draft = {"type": "modification", "broker": "binance", "order": taken.order.id, "replacement": new}
        operation = await floor.ask(draft)
        while not any(method == "DELETE" for method, _ in floor.exchange.sent):
            await floor.clock.sleep(0.01)
        await floor.engine.roll_back(operation.id, "too late")
        return await floor.ended(operation, 500)

    assert floor.live(life).operation.state is OperationState.COMPLETED
    assert [order.limit for order in floor.exchange.open()] == [81]
