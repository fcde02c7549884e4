"""What is asked for is taken once, and what cannot be carried out is refused in words before anything is done."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from sidecar.api.operations import operation_routes
from sidecar.api.problem import RefusedError as Refused
from sidecar.api.routes import Asked
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import UnsupportedError
from sidecar.orders.operations.draft import BracketChange, OperationDraft
from sidecar.orders.operations.errors import RefusedError, SettledError, TwiceError
from sidecar.wire import Answer
from sidecar.words import OperationState
from tests.orders.operations.floor import BRACKET, CLOSE, Floor

SYMBOL = "BTCUSDT"


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def test_asked_for_twice_under_one_client_id_it_is_begun_once(floor: Floor) -> None:
    async def life() -> list[str]:
        asked = [await floor.ask(BRACKET, client_id="mine") for _ in range(2)]
        await floor.in_place(asked[0])
        return [operation.id for operation in asked]

    first, second = floor.live(life)
    assert first == second
    assert len(floor.exchange.booked("entry")) == 1


def test_what_belongs_to_an_operation_or_cannot_be_undone_is_refused_in_words(floor: Floor) -> None:
    floor.exchange.positions[SYMBOL] = Decimal(1)

    async def life() -> None:
        bracket = (await floor.in_place(await floor.ask(BRACKET, client_id="mine"))).operation
        stop = next(leg for leg in bracket.record.legs if leg.role == "stop")
        with pytest.raises(RefusedError, match="belongs to operation"):
            await floor.ask({"type": "bulk_cancel", "broker": "binance", "orders": [stop.order_id]})
        with pytest.raises(TwiceError, match="another operation"):
            await floor.ask(BRACKET, client_id="mine", quantity="2")
        with pytest.raises(RefusedError, match="no carried order"):
            await floor.ask({"type": "bulk_cancel", "broker": "binance"})
        closed = await floor.ended(await floor.ask(CLOSE), 100)
        with pytest.raises(SettledError, match="nothing to undo"):
            await floor.engine.roll_back(closed.operation.id, "too late")

    floor.live(life)


def test_what_is_written_down_while_the_sidecar_stops_begins_at_its_next_start(floor: Floor) -> None:
    async def stopping() -> str:
        floor.store.takes = 1
        asking = asyncio.create_task(floor.ask(BRACKET))
        await floor.clock.sleep(0.5)
        floor.engine.wind_down()
        operation = await asking
        await floor.clock.sleep(30)
        return operation.id

    async def next_start() -> OperationState:
        return (await floor.engine.wait(operation_id, 100, final=False)).operation.state

    operation_id = floor.live(stopping)
    assert floor.exchange.sent == []
    assert floor.live(next_start) is OperationState.IN_PROGRESS
    assert len(floor.exchange.booked("stop")) == 1


def test_a_move_that_its_broker_does_not_take_is_refused_as_a_move(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: OrderDraft) -> None:
        raise UnsupportedError("not taken: no such stops here")

    async def life() -> None:
        operation = await floor.ask(BRACKET)
        await floor.in_place(operation)
        monkeypatch.setattr(floor.desk, "check", refuse)
        with pytest.raises(RefusedError, match="not moved: no such stops here"):
            await floor.engine.modify(operation.id, BracketChange(stop_price=Decimal(95)))

    floor.live(life)


def test_what_a_full_disk_does_not_take_is_not_begun_and_may_come_again(floor: Floor) -> None:
    async def life() -> OperationState:
        begin = next(route.handler for route in operation_routes(floor.engine) if route.path == "/v1/operations")
        asked = Asked({}, {}, OperationDraft.model_validate(BRACKET | {"client_id": "mine"}))
        floor.store.full = True
        answering = begin(asked)
        assert not isinstance(answering, Answer)
        with pytest.raises(Refused) as refused:
            await answering
        assert refused.value.answer.status == 507
        assert b"not begun" in refused.value.answer.body
        floor.store.full = False
        return (await floor.in_place(await floor.ask(BRACKET, client_id="mine"))).operation.state

    assert floor.live(life) is OperationState.IN_PROGRESS
