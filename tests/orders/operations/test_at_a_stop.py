"""A stop that closes what is held ends the operations that looked after it, and no others."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from sidecar.config.model import Stop
from sidecar.orders.leaving import Leaving, leavings
from sidecar.orders.ledger import Ledger
from sidecar.orders.operations.errors import ClosingError
from sidecar.words import OperationState
from tests.orders.operations.floor import BRACKET, Floor


async def stopped(floor: Floor, *, closes: bool) -> Leaving:
    """What a stop does with the market, in its order."""
    floor.bench.gateway.wind_down()
    floor.engine.wind_down()
    floor.queue.wind_down()
    await floor.engine.finish()
    stop = Stop(cancel_working_orders=True, close_positions=("binance",) if closes else ())
    ledger, gateways = Ledger(floor.store, 86400, floor.clock), {"binance": floor.bench.gateway}
    (leaving,) = leavings([floor.queue], gateways, ledger, stop, clock=floor.clock, rng=Random(7))
    await leaving.run(3)
    if leaving.clean:
        await floor.engine.settle("binance", "closed by the stop")
    return leaving


def test_a_bracket_whose_position_was_closed_is_over_and_calls_nobody_at_the_next_start(tmp_path: Path) -> None:
    floor = Floor(tmp_path)

    async def first() -> str:
        operation = await floor.ask(BRACKET)
        assert (await floor.in_place(operation)).operation.state is OperationState.IN_PROGRESS
        assert (await stopped(floor, closes=True)).clean
        return operation.id

    async def second() -> tuple[OperationState, str]:
        await floor.clock.sleep(600)
        operation = (await floor.engine.tell(operation_id)).operation
        return operation.state, operation.record.reason

    operation_id = floor.live(first)
    assert floor.exchange.positions == {"BTCUSDT": 0}
    orders = len(floor.exchange.orders)
    assert floor.live(second) == (OperationState.ROLLED_BACK, "closed by the stop")
    assert (len(floor.exchange.orders), floor.alarms, floor.exchange.twice) == (orders, [], [])


@pytest.mark.parametrize("closes", [True, False])
def test_a_bracket_whose_position_is_still_open_keeps_its_stop_and_goes_on(tmp_path: Path, closes: bool) -> None:
    floor = Floor(tmp_path)

    async def first() -> str:
        operation = await floor.ask(BRACKET)
        await floor.in_place(operation)
        floor.exchange.placing = ["margin"] * 9
        assert not (await stopped(floor, closes=closes)).clean
        floor.exchange.placing = []
        return operation.id

    async def second() -> OperationState:
        floor.exchange.move("BTCUSDT", 110)
        told = await floor.engine.wait(operation_id, 1e5, final=True)
        return told.operation.state

    operation_id = floor.live(first)
    assert floor.exchange.positions == {"BTCUSDT": 1}
    assert floor.live(second) is OperationState.COMPLETED
    assert (floor.exchange.positions, floor.alarms) == ({"BTCUSDT": 0}, [])


@pytest.mark.parametrize("before", [True, False])
def test_an_operation_is_not_said_to_be_undone_when_a_stop_keeps_that_from_the_disk(
    tmp_path: Path, before: bool
) -> None:
    floor = Floor(tmp_path)

    async def first() -> str:
        operation = await floor.ask(BRACKET)
        await floor.in_place(operation)
        if before:
            floor.engine.wind_down()
        undoing = asyncio.create_task(floor.engine.roll_back(operation.id, "somebody asked for it"))
        await asyncio.sleep(0)
        floor.engine.wind_down()
        with pytest.raises(ClosingError, match="perhaps not undone"):
            await undoing
        return operation.id

    async def second() -> str:
        return (await floor.engine.tell(operation_id)).operation.record.unwinding

    operation_id = floor.live(first)
    assert not floor.live(second)
