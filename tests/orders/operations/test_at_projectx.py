"""Operations at ProjectX: no order is reduce-only, a cancel needs the broker's number, and no answer tells a fill."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.config.model import Operations
from sidecar.orders.errors import EndedError, UnsupportedError
from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState, OrderState
from tests.orders.operations.exchange import shown
from tests.orders.operations.floor import BRACKET, OCO
from tests.orders.operations.gateway import GatewayFloor

SYMBOL = "BTCUSDT"
CLOSE = {"type": "position_close", "broker": "binance", "instrument": SYMBOL, "side": "buy", "quantity": "2"}


@pytest.fixture
def floor(tmp_path: Path) -> GatewayFloor:
    return GatewayFloor(tmp_path)


def carried(
    floor: GatewayFloor, draft: dict[str, Any], then: Callable[[], None] = lambda: None, seconds: float = 1000
) -> Told:
    """An operation from its beginning to its end; `then` happens once it is in place."""

    async def life() -> Told:
        operation = await floor.ask(draft)
        if not (await floor.in_place(operation, 200)).operation.state.final:
            then()
        return await floor.ended(operation, seconds)

    return floor.live(life)


def kinds(floor: GatewayFloor) -> list[str]:
    return [order.kind for order in floor.exchange.orders.values()]


# Single orders


def test_a_market_order_comes_to_filled_though_nobody_asks(floor: GatewayFloor) -> None:
    async def life() -> None:
        await floor.place()
        await floor.clock.sleep(5)

    floor.live(life)
    assert floor.on_disk("c1") == "filled"


def test_a_market_order_comes_to_filled_after_a_restart(floor: GatewayFloor) -> None:
    floor.exchange.visible_after = 60

    async def life() -> None:
        await floor.settled(await floor.place())

    floor.live(life, crash=True)
    assert floor.on_disk("c1") == "working"
    floor.live(lambda: floor.clock.sleep(120))
    assert floor.on_disk("c1") == "filled"


def test_a_carried_order_is_cancelled_by_the_number_that_the_broker_gave_it_also_after_a_restart(
    floor: GatewayFloor,
) -> None:
    async def begin() -> str:
        return (await floor.settled(await floor.place(type="limit", price="80"))).order.id

    async def end(order_id: str) -> OrderState:
        cancel = await floor.desk.cancel(order_id)
        await floor.desk.wait(cancel.id, 60, final=True)
        return (await floor.desk.wait(order_id, 60, final=True)).order.state

    order_id = floor.live(begin, crash=True)
    assert floor.live(lambda: end(order_id)) is OrderState.CANCELLED
    assert floor.exchange.orders["c1"].status == "CANCELED"


def test_a_cancel_waits_for_the_number_while_the_order_is_on_its_way(floor: GatewayFloor) -> None:
    floor.exchange.takes = 2

    async def life() -> OrderState:
        taken = await floor.place(type="limit", price="80")
        await floor.clock.sleep(1)
        cancel = await floor.desk.cancel(taken.order.id)
        return (await floor.desk.wait(cancel.id, 60, final=True)).order.state

    assert floor.live(life) is OrderState.CANCELLED


def test_an_order_whose_number_was_never_told_is_not_said_to_be_cancelled(tmp_path: Path) -> None:
    floor = GatewayFloor(tmp_path, ["lost"])

    async def life() -> str:
        taken = await floor.place(type="limit", price="80")
        await floor.desk.wait(taken.order.id, 1000, final=True)
        with pytest.raises(UnsupportedError, match="told no id"):
            await floor.desk.cancel(taken.order.id)
        return taken.order.id

    floor.live(life)
    assert floor.on_disk("c1") == "dead"


def test_a_cancel_of_what_has_filled_is_declined_and_the_fill_is_told(floor: GatewayFloor) -> None:
    async def life() -> tuple[OrderState, OrderState]:
        taken = await floor.place(type="limit", price="80")
        await floor.settled(taken)
        floor.exchange.move(SYMBOL, 79)
        cancel = await floor.desk.cancel(taken.order.id)
        declined = await floor.desk.wait(cancel.id, 60, final=True)
        order = await floor.desk.wait(taken.order.id, 60, final=True)
        with pytest.raises(EndedError):
            await floor.desk.cancel(taken.order.id)
        return declined.order.state, order.order.state

    assert floor.live(life) == (OrderState.REJECTED, OrderState.FILLED)


# Brackets


def test_a_bracket_has_a_plain_stop_and_a_limit_for_its_target_and_the_stop_goes_when_the_target_fills(
    floor: GatewayFloor,
) -> None:
    told = carried(floor, BRACKET, lambda: floor.exchange.move(SYMBOL, 110))
    assert told.operation.state is OperationState.COMPLETED, told.operation.record
    assert kinds(floor) == ["MARKET", "STOP_MARKET", "LIMIT"]
    assert floor.exchange.open() == []
    assert (floor.exchange.positions[SYMBOL], floor.alarms) == (0, [])


def test_stop_and_target_in_one_jump_are_traded_back_and_a_person_is_called(floor: GatewayFloor) -> None:
    def jump() -> None:
        floor.exchange.move(SYMBOL, 89)
        floor.exchange.move(SYMBOL, 111)

    told = carried(floor, BRACKET, jump)
    assert told.operation.state is OperationState.PARTIALLY_COMPLETED
    assert floor.exchange.positions[SYMBOL] == 0
    assert len(floor.alarms) == 1


def test_a_stop_that_is_refused_for_good_has_the_position_closed_by_the_brokers_own_close(tmp_path: Path) -> None:
    floor = GatewayFloor(tmp_path, ["done", "margin", "margin", "margin"])
    told = carried(floor, BRACKET)
    assert told.operation.state is OperationState.ROLLED_BACK, told.operation.record
    assert floor.exchange.orders["close-1"].executed == 1
    assert floor.exchange.positions[SYMBOL] == 0


def test_a_position_that_somebody_closed_is_not_opened_the_other_way_round(tmp_path: Path) -> None:
    floor = GatewayFloor(tmp_path, ["done", "margin", "margin", "margin"])

    async def life() -> Told:
        operation = await floor.ask(BRACKET)
        await floor.clock.sleep(2)
        floor.exchange.positions[SYMBOL] = Decimal(0)
        return await floor.ended(operation, 1000)

    told = floor.live(life)
    assert told.operation.state is OperationState.FAILED
    assert floor.exchange.positions[SYMBOL] == 0
    assert len(floor.alarms) == 1


def test_of_twenty_filled_entries_none_is_left_unprotected_though_fourteen_are_seen_late(tmp_path: Path) -> None:
    """Elsewhere an entry that was not among the open orders was taken for unfilled: one that has filled is not open."""
    floor = GatewayFloor(tmp_path)
    floor.policy = Operations(look_seconds=15)
    late = ["done", "lost and done", "pending and done"]

    async def life() -> list[Told]:
        begun = []
        for number in range(20):
            floor.exchange.visible_after = 45.0 if number < 14 else 0.0
            floor.exchange.placing.append(late[number % 3] if number < 14 else "done")
            begun.append(await floor.ask(BRACKET, instrument=f"I{number}"))
            await floor.clock.sleep(1)
            floor.exchange.visible_after = 0.0
        return [await floor.in_place(operation, 1000) for operation in begun]

    found = floor.live(life)
    assert [told.operation.state for told in found] == [OperationState.IN_PROGRESS] * 20
    for number in range(20):
        assert floor.exchange.positions[f"I{number}"] == 1
        stops = [
            order for order in floor.exchange.open() if order.symbol == f"I{number}" and order.kind == "STOP_MARKET"
        ]
        assert [stop.quantity for stop in stops] == [1], shown(floor.exchange)
    assert floor.exchange.twice == []


# The others


def test_of_a_pair_the_one_that_fills_cancels_the_other(floor: GatewayFloor) -> None:
    floor.exchange.positions[SYMBOL] = Decimal(1)
    told = carried(floor, OCO, lambda: floor.exchange.move(SYMBOL, 110))
    assert told.operation.state is OperationState.COMPLETED
    assert floor.exchange.open() == []
    assert floor.exchange.positions[SYMBOL] == 0


def test_a_pair_whose_first_order_took_long_gets_its_second_all_the_same(floor: GatewayFloor) -> None:
    floor.policy = Operations(stale_seconds=5)
    floor.exchange.takes = 6

    async def life() -> Told:
        return await floor.in_place(await floor.ask(OCO), 100)

    assert [leg.state for leg in floor.live(life).operation.record.legs] == [OrderState.WORKING] * 2


@pytest.mark.parametrize(("held", "closed"), [(2, OperationState.COMPLETED), (5, OperationState.COMPLETED)])
def test_a_position_is_closed_as_a_whole_or_in_part(floor: GatewayFloor, held: int, closed: OperationState) -> None:
    floor.exchange.positions[SYMBOL] = Decimal(held)
    assert carried(floor, CLOSE).operation.state is closed
    assert floor.exchange.positions[SYMBOL] == held - 2


@pytest.mark.parametrize("held", [0, 1, -2])
def test_what_is_not_held_is_not_closed(floor: GatewayFloor, held: int) -> None:
    floor.exchange.positions[SYMBOL] = Decimal(held)
    told = carried(floor, CLOSE)
    assert told.operation.state is OperationState.FAILED
    assert "2 are to be closed" in told.operation.record.reason
    assert floor.exchange.positions[SYMBOL] == held


def test_a_close_whose_answer_is_lost_is_found_and_not_sent_again(tmp_path: Path) -> None:
    floor = GatewayFloor(tmp_path, ["lost and done"])
    floor.exchange.positions[SYMBOL] = Decimal(5)
    assert carried(floor, CLOSE).operation.state is OperationState.COMPLETED
    assert floor.exchange.positions[SYMBOL] == 3


def test_a_bulk_cancel_tells_of_each_order(floor: GatewayFloor) -> None:
    async def life() -> Told:
        for number in (1, 2):
            await floor.settled(await floor.place(f"bot-{number}", type="limit", price="80"))
        floor.exchange.fill(floor.exchange.orders["bot-2"], Decimal(1))
        return await floor.ended(await floor.ask({"type": "bulk_cancel", "broker": "binance"}), 500)

    found = floor.live(life)
    assert found.operation.state is OperationState.PARTIALLY_COMPLETED
    assert sorted(leg.state for leg in found.operation.record.legs) == ["cancelled", "filled"]


@pytest.mark.parametrize("reduce_only", [True, False])
def test_an_order_is_replaced_and_what_protects_has_no_gap(floor: GatewayFloor, *, reduce_only: bool) -> None:
    floor.exchange.positions[SYMBOL] = Decimal(1)

    async def life() -> Told:
        taken = await floor.place(side="sell", type="stop", stop_price="90")
        await floor.settled(taken)
        new = {"side": "sell", "type": "stop", "stop_price": "95", "quantity": "1", "reduce_only": reduce_only}
        draft = {"type": "modification", "broker": "binance", "order": taken.order.id, "replacement": new}
        return await floor.ended(await floor.ask(draft), 500)

    assert floor.live(life).operation.state is OperationState.COMPLETED
    assert [order.trigger for order in floor.exchange.open()] == [95]
    sent = [path for path, _ in floor.exchange.sent if path in {"order/place", "order/cancel"}]
    assert sent[1:] == (["order/place", "order/cancel"] if reduce_only else ["order/cancel", "order/place"])


def test_nothing_is_waited_for_twice_when_life_ends(floor: GatewayFloor) -> None:
    """A stop of the sidecar leaves no task behind that asks for an order."""
    floor.exchange.visible_after = 1e9

    async def life() -> None:
        await floor.settled(await floor.place())

    floor.live(life)
    looks = len(floor.exchange.sent)

    async def later() -> None:
        await floor.clock.sleep(1)

    floor.clock.run(later())
    assert len(floor.exchange.sent) == looks


def test_both_lives_of_a_bracket_end_as_one(floor: GatewayFloor) -> None:
    async def begin() -> Any:
        operation = await floor.ask(BRACKET)
        await floor.in_place(operation)
        return operation

    operation = floor.live(begin, crash=True)
    floor.exchange.move(SYMBOL, 89)
    assert floor.live(lambda: floor.ended(operation, 100)).operation.state is OperationState.COMPLETED
    assert floor.exchange.open() == []
    assert floor.exchange.positions[SYMBOL] == 0
