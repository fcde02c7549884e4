"""Where the broker takes a bracket in one request, its stop and target are there with the fill, each once."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.orders.operations.errors import RefusedError
from sidecar.orders.operations.inquiries import Told
from sidecar.words import OperationState
from tests.orders.operations.native import NativeFloor, Oanda, Spot, Venue

BOTH = pytest.mark.parametrize("venue", [Oanda, Spot])


def bracket(
    floor: NativeFloor, then: Callable[[Any], Awaitable[Any]] | None = None, seconds: float = 600, **changes: Any
) -> Told:
    """A bracket from its beginning to its end in one life; `then` happens once it is in place."""

    async def life() -> Told:
        operation = await floor.ask(floor.venue.draft, **changes)
        told = await floor.in_place(operation, seconds)
        if then is not None and not told.operation.state.final:
            await then(operation)
        return await floor.ended(operation, seconds)

    return floor.live(life)


@BOTH
def test_one_request_places_entry_stop_and_target(tmp_path: Path, venue: type[Venue]) -> None:
    floor = NativeFloor(tmp_path, venue)
    operation = bracket(floor, seconds=20).operation
    assert operation.record.native is not None
    assert floor.venue.placements == 1
    assert {leg.name: str(leg.state) for leg in operation.record.legs} == {
        "entry1": "filled",
        "stop2": "working",
        "target3": "working",
    }
    assert floor.venue.protected() == floor.venue.held > 0
    assert floor.alarms == []


@BOTH
@pytest.mark.parametrize(("exit_", "other"), [("low", "target3"), ("high", "stop2")])
def test_the_broker_ends_the_exit_that_did_not_trade_and_the_sidecar_cancels_nothing(
    tmp_path: Path, venue: type[Venue], exit_: str, other: str
) -> None:
    floor = NativeFloor(tmp_path, venue)

    async def then(_: Any) -> None:
        floor.venue.move(getattr(venue, exit_))

    operation = bracket(floor, then).operation
    assert operation.state is OperationState.COMPLETED, operation.record
    assert floor.venue.held == 0
    assert {leg.name: str(leg.state) for leg in operation.record.legs}[other] == "cancelled"
    assert operation.failed == []
    assert [method for method, path in floor.venue.sent if method in {"PUT", "DELETE"}] == []
    assert floor.alarms == []


@BOTH
@pytest.mark.parametrize("fate", ["lost", "lost and done", "unreachable"])
def test_a_request_whose_answer_is_lost_is_never_sent_twice(tmp_path: Path, venue: type[Venue], fate: str) -> None:
    floor = NativeFloor(tmp_path, venue, [fate])
    operation = bracket(floor, seconds=200).operation
    arrived = fate != "lost"
    assert floor.venue.placements == (2 if fate == "unreachable" else 1)
    assert (floor.venue.held > 0) is arrived
    assert operation.state is (OperationState.IN_PROGRESS if arrived else OperationState.FAILED)
    assert bool(floor.alarms) is not arrived


@BOTH
def test_rolled_back_it_leaves_neither_position_nor_order(tmp_path: Path, venue: type[Venue]) -> None:
    floor = NativeFloor(tmp_path, venue)

    async def then(operation: Any) -> None:
        await floor.engine.roll_back(operation.id, "its bot asked for it")

    operation = bracket(floor, then).operation
    assert operation.state is OperationState.ROLLED_BACK, operation.record
    assert floor.venue.held == 0
    assert not any(order.open for order in floor.venue.booked())
    assert floor.alarms == []


@BOTH
def test_an_entry_that_does_not_fill_in_time_takes_its_exits_along(tmp_path: Path, venue: type[Venue]) -> None:
    floor = NativeFloor(tmp_path, venue)
    price = "1.08" if venue is Oanda else "55000"
    operation = bracket(floor, price=price, fill_seconds=20).operation
    assert operation.state is OperationState.FAILED
    assert {str(leg.state) for leg in operation.record.legs} == {"cancelled"}
    assert floor.venue.held == 0
    assert not any(order.open for order in floor.venue.booked())
    assert floor.alarms == []


@BOTH
def test_a_stop_that_somebody_cancels_is_placed_again(tmp_path: Path, venue: type[Venue]) -> None:
    floor = NativeFloor(tmp_path, venue)

    async def then(_: Any) -> None:
        floor.venue.cancel("stop2")
        await floor.clock.sleep(60)
        assert floor.venue.protected() == floor.venue.held > 0
        floor.venue.move(venue.low)

    operation = bracket(floor, then).operation
    assert operation.state is OperationState.COMPLETED, operation.record
    assert floor.venue.held == 0
    assert not any(order.open for order in floor.venue.booked())


def test_a_price_beyond_the_stop_cancels_the_entry_at_oanda(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Oanda)
    operation = bracket(floor, stop_price="1.12").operation
    assert operation.state is OperationState.FAILED
    assert "STOP_LOSS_ON_FILL_LOSS" in operation.record.reason
    assert floor.venue.held == 0
    assert floor.alarms == []


def test_a_trade_that_somebody_closes_gets_no_other_stop(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Oanda)

    async def then(_: Any) -> None:
        venue = floor.venue
        assert isinstance(venue, Oanda)
        venue.ledger.place({"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "-100"}})

    operation = bracket(floor, then).operation
    assert operation.state is OperationState.PARTIALLY_COMPLETED
    assert "closed by another order" in operation.record.reason
    assert floor.venue.placements == 1


def test_a_part_that_has_filled_on_spot_is_protected_at_once_and_the_rest_taken_back(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot, fill_cap=Decimal("0.004"))

    async def then(_: Any) -> None:
        floor.venue.move(Spot.high)

    operation = bracket(floor, then, seconds=60).operation
    assert floor.venue.status()["entry1"] == "CANCELED"
    stop = {leg.name: leg for leg in operation.record.legs}["stop4"]
    assert stop.terms is not None
    assert stop.terms.quantity == Decimal("0.004")
    assert operation.state is OperationState.COMPLETED, operation.record
    assert floor.venue.held == 0
    assert floor.alarms == []


def test_a_pair_on_spot_whose_price_has_passed_closes_the_position_at_the_market(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot, fill_cap=Decimal("0.004"))

    async def life() -> Told:
        operation = await floor.ask(Spot.draft, price="60000")
        await floor.clock.sleep(1)
        floor.venue.move("49500")
        return await floor.ended(operation, 200)

    operation = floor.live(life).operation
    assert operation.state in {OperationState.ROLLED_BACK, OperationState.COMPLETED}, operation.record
    assert floor.venue.held == 0


def test_a_market_entry_is_refused_on_spot_with_words_that_say_what_to_do(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot)

    async def life() -> None:
        with pytest.raises(RefusedError, match="set `price`"):
            await floor.ask({key: value for key, value in Spot.draft.items() if key != "price"})

    floor.live(life)
    assert floor.venue.placements == 0


@pytest.mark.parametrize("then", ["high", "low", "cancel", "rollback"])
def test_a_fee_that_is_taken_from_what_was_bought_leaves_nothing_unsold_but_dust(tmp_path: Path, then: str) -> None:
    floor = NativeFloor(tmp_path, Spot, owns=Decimal(0), spot_fee=Decimal("0.001"))

    async def act(operation: Any) -> None:
        if then == "rollback":
            await floor.engine.roll_back(operation.id, "its bot asked for it")
        elif then == "cancel":
            floor.venue.cancel("stop2")
            await floor.clock.sleep(60)
            assert floor.venue.protected() == Decimal("0.009")
            floor.venue.move(Spot.low)
        else:
            floor.venue.move(getattr(Spot, then))

    operation = bracket(floor, act).operation
    assert operation.state is (OperationState.ROLLED_BACK if then == "rollback" else OperationState.COMPLETED)
    assert floor.venue.held < Decimal("0.001")
    assert not any(order.open for order in floor.venue.booked())
    assert floor.alarms == []


def test_a_bracket_without_a_target_is_one_request_too(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot)
    draft = {key: value for key, value in Spot.draft.items() if key != "target_price"}

    async def life() -> Told:
        operation = await floor.ask(draft)
        await floor.in_place(operation, 30)
        floor.venue.move(Spot.low)
        return await floor.ended(operation, 60)

    operation = floor.live(life).operation
    assert operation.state is OperationState.COMPLETED
    assert floor.venue.placements == 1
    assert floor.venue.held == 0


PAIR = {
    "type": "oco",
    "broker": "binance",
    "instrument": "BTCUSDT",
    "first": {"side": "sell", "type": "stop", "quantity": "0.5", "stop_price": "50000"},
    "second": {"side": "sell", "type": "limit", "quantity": "0.5", "price": "70000"},
}


@pytest.mark.parametrize("price", [Spot.low, Spot.high])
@pytest.mark.parametrize("fate", ["done", "lost and done"])
def test_a_pair_on_spot_is_one_request_and_one_of_it_trades(tmp_path: Path, price: str, fate: str) -> None:
    floor = NativeFloor(tmp_path, Spot, [fate])

    async def life() -> Told:
        operation = await floor.ask(PAIR)
        await floor.in_place(operation, 60)
        floor.venue.move(price)
        return await floor.ended(operation, 60)

    operation = floor.live(life).operation
    assert operation.state is OperationState.COMPLETED, operation.record
    assert floor.venue.placements == 1
    assert floor.venue.held == Decimal("-0.5")
    assert floor.alarms == []


def test_a_pair_on_spot_is_taken_back_whole(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot)

    async def life() -> Told:
        operation = await floor.ask(PAIR)
        await floor.in_place(operation, 60)
        await floor.engine.roll_back(operation.id, "asked for")
        return await floor.ended(operation, 60)

    operation = floor.live(life).operation
    assert operation.state is OperationState.ROLLED_BACK, operation.record
    assert set(floor.venue.status().values()) == {"CANCELED"}


def test_a_pair_that_the_exchange_refuses_is_undone_after_as_many_attempts_as_are_configured(tmp_path: Path) -> None:
    floor = NativeFloor(tmp_path, Spot)
    floor.venue.move("71000")

    async def life() -> Told:
        return await floor.ended(await floor.ask(PAIR), 60)

    operation = floor.live(life).operation
    assert operation.state is OperationState.ROLLED_BACK
    assert floor.venue.placements == floor.policy.attempts
    assert floor.venue.booked() == []
