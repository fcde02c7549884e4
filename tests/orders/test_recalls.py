"""What is cancelled is not sent afterwards, and who is told that it is cancelled is told the truth."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.orders.errors import EndedError, UnrecordedError
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away, back, cancelling

STEADY: dict[str, Any] = {"breaker": {"failures": 10_000, "minimum_calls": 10_000}, "retry": {"attempts": 1}}


@pytest.mark.parametrize("crash", [False, True])
def test_an_order_that_comes_back_unexecuted_while_its_cancel_waits_is_not_sent_again(
    tmp_path: Path, crash: bool
) -> None:
    shop = Shop(tmp_path, ["definite"], takes=2, **STEADY)

    async def first() -> tuple[str, str]:
        taken = await shop.place()
        await shop.clock.sleep(1)
        cancel = await shop.desk.cancel(taken.order.id)
        await shop.clock.sleep(1.05 if crash else 60)
        return taken.order.id, cancel.id

    async def states() -> tuple[OrderState, OrderState]:
        await shop.clock.sleep(60)
        accounts = [await shop.desk.account(order_id) for order_id in ids]
        return accounts[0].order.state, accounts[1].order.state

    ids = shop.run(first, crash=crash)
    assert shop.run(states)[0] is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 1
    assert shop.broker.executions == []


def test_a_bots_own_cancel_keeps_an_order_on_its_way_from_being_sent_once_more(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["definite"], takes=2, **STEADY)

    async def life() -> OrderState:
        taken = await shop.place()
        await shop.clock.sleep(1)
        await shop.desk.heed("binance", cancelling())
        await shop.clock.sleep(60)
        return (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.executions == []


def test_a_cancel_waits_for_an_outage_to_end_however_often_it_was_tried(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> OrderState:
        resting = await shop.place("resting", type="limit", price="90")
        await shop.settled(resting)
        await away(shop)
        cancel = await shop.desk.cancel(resting.order.id)
        await shop.clock.sleep(1200)
        shop.broker.away = False
        await shop.clock.sleep(1000)
        return (await shop.desk.account(cancel.id)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.book["resting"]["status"] == "CANCELED"


def test_nobody_is_told_that_an_order_is_cancelled_before_the_disk_knows_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> list[type[object]]:
        await away(shop)
        taken = await shop.place()
        shop.store.takes, shop.store.full = 1, True
        first = asyncio.create_task(shop.desk.cancel(taken.order.id))
        await shop.clock.sleep(0.5)
        assert (await shop.desk.account(taken.order.id)).order.state is OrderState.QUEUED
        second = asyncio.create_task(shop.desk.cancel(taken.order.id))
        ended = await asyncio.gather(first, second, return_exceptions=True)
        shop.store.takes, shop.store.full = 0, False
        await back(shop)
        return [type(end) for end in ended]

    assert shop.run(life) == [UnrecordedError, UnrecordedError]
    assert shop.broker.executions == ["c1"]


def test_an_order_is_not_sent_while_its_end_is_written_down(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        taken = await shop.place()
        shop.store.takes = 200
        cancel = asyncio.create_task(shop.desk.cancel(taken.order.id))
        await back(shop)
        await shop.clock.sleep(100)
        return (await cancel).state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 0


def test_an_order_that_could_not_be_taken_back_still_expires_in_its_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        taken = await shop.place(ttl_seconds=30)
        shop.store.takes, shop.store.full = 60, True
        with pytest.raises(UnrecordedError):
            await shop.desk.cancel(taken.order.id)
        shop.store.takes, shop.store.full = 0, False
        await shop.clock.sleep(1)
        return (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) is OrderState.EXPIRED


def test_an_order_that_was_given_up_and_may_be_executed_can_be_cancelled(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost and done"], queue={"doubt_seconds": 10})
    shop.broker.fills = False
    shop.broker.visible_after = 100

    async def life() -> OrderState:
        taken = await shop.place(type="limit", price="90")
        account = await shop.settled(taken)
        assert account.order.state is OrderState.DEAD
        assert account.order.may_have_been_executed
        await shop.clock.sleep(100)
        cancel = await shop.desk.cancel(taken.order.id)
        return (await shop.desk.wait(cancel.id, 100, final=True)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.book["c1"]["status"] == "CANCELED"


def test_cancelling_twice_makes_one_cancel(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> None:
        resting = await shop.place("resting", type="limit", price="90")
        await shop.settled(resting)
        await away(shop)
        cancel = await shop.desk.cancel(resting.order.id)
        assert (await shop.desk.cancel(resting.order.id)).id == cancel.id

    shop.run(life)


def test_an_order_that_is_taken_back_before_it_is_sent_is_never_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        taken = await shop.place()
        assert (await shop.desk.cancel(taken.order.id)).state is OrderState.CANCELLED
        assert shop.on_disk("c1") == "cancelled"
        await back(shop)
        return (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 0


def test_an_order_in_the_book_is_cancelled_at_the_broker(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> tuple[OrderState, OrderState]:
        taken = await shop.place(type="limit", price="90")
        await shop.settled(taken)
        cancel = await shop.desk.cancel(taken.order.id)
        done = await shop.desk.wait(cancel.id, 10, final=True)
        await shop.clock.sleep(1)
        return done.order.state, (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert shop.broker.book["c1"]["status"] == "CANCELED"


def test_a_cancel_outlasts_the_doubt_about_its_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost and done"])
    shop.broker.fills = False
    shop.broker.visible_after = 40

    async def life() -> OrderState:
        taken = await shop.place(type="limit", price="90")
        await shop.clock.sleep(15)
        assert (await shop.desk.account(taken.order.id)).order.state is OrderState.IN_DOUBT
        cancel = await shop.desk.cancel(taken.order.id)
        await shop.desk.wait(cancel.id, 1000, final=True)
        return (await shop.desk.wait(taken.order.id, 100, final=True)).order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.book["c1"]["status"] == "CANCELED"


def test_what_has_ended_cannot_be_cancelled(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        taken = await shop.place()
        await shop.settled(taken)
        with pytest.raises(EndedError, match="filled"):
            await shop.desk.cancel(taken.order.id)

    shop.run(life)


def test_an_order_that_the_disk_does_not_let_go_of_is_told_to_be_waiting_still(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await away(shop)
        taken = await shop.place()
        shop.store.full = True
        with pytest.raises(UnrecordedError, match="still waits"):
            await shop.desk.cancel(taken.order.id)
        shop.store.full = False
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == ["c1"]
