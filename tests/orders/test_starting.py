"""What a start finds in the state file, and what keeps the queue going whatever happens."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from sidecar.wire import Request
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away


def test_a_full_disk_does_not_keep_a_start_from_asking_what_became_of_its_orders(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["done", "done"], takes=5)

    async def first() -> list[str]:
        ids = [(await shop.place(name, instrument=name)).order.id for name in ("c1", "c2")]
        await shop.clock.sleep(1)
        return ids

    async def second() -> list[OrderState]:
        states = [(await shop.desk.account(order_id)).order.state for order_id in ids]
        shop.store.full = False
        return states

    ids = shop.run(first, crash=True)
    shop.broker.takes = 0.1
    shop.full_at_start = True
    began = shop.clock.monotonic()
    assert shop.run(second, recovery=10) == [OrderState.FILLED, OrderState.FILLED]
    assert shop.clock.monotonic() - began < 12


@pytest.mark.parametrize(("sent", "doubtful"), [(False, False), (True, True)])
def test_orders_for_a_broker_that_is_configured_no_more_are_given_up_and_told_so(
    tmp_path: Path, sent: bool, doubtful: bool
) -> None:
    shop = Shop(tmp_path, takes=5)

    async def first() -> str:
        if not sent:
            await away(shop)
        taken = await shop.place()
        await shop.clock.sleep(1)
        return taken.order.id

    order_id = shop.run(first, crash=True)
    with sqlite3.connect(shop.path) as connection:
        connection.execute("UPDATE orders SET broker = 'gone'")
    connection.close()

    async def second() -> tuple[OrderState, bool]:
        await shop.desk.give_up_strays()
        order = (await shop.desk.account(order_id)).order
        return order.state, order.may_have_been_executed

    assert shop.run(second) == (OrderState.DEAD, doubtful)


def test_a_working_order_of_a_broker_that_is_configured_no_more_can_still_be_asked_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False
    order_id = shop.outcome(type="limit", price="9").order.id
    with sqlite3.connect(shop.path) as connection:
        connection.execute("UPDATE orders SET broker = 'gone'")
    connection.close()

    async def second() -> OrderState:
        await shop.desk.give_up_strays()
        await shop.desk.look_again(order_id)
        return (await shop.desk.wait(order_id, 1, final=True)).order.state

    assert shop.run(second) is OrderState.WORKING


def test_an_order_whose_time_runs_out_while_the_disk_is_slow_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        shop.store.takes = 6
        taken = await shop.place(ttl_seconds=10)
        await shop.clock.sleep(100)
        return (await shop.desk.account(taken.order.id)).order.state

    assert shop.run(life) is OrderState.EXPIRED
    assert shop.broker.placements("c1") == 0


def test_a_fault_in_a_look_does_not_end_the_search_for_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, ["lost and done"])
    shop.broker.visible_after = 20
    looks = 0

    async def life() -> OrderState:
        nonlocal looks
        gateway, taken = shop.bench.gateway, await shop.place()
        right = gateway.questions.look_up

        async def faulty(request: Request, *, placed_at: float, number: int, order_id: str) -> object:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise KeyError
            return await right(request, placed_at=placed_at, number=number, order_id=order_id)

        monkeypatch.setattr(gateway.questions, "look_up", faulty)
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.FILLED
    assert looks > 1


def test_one_order_without_a_price_does_not_slow_the_others_down(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.ask = "0"  # nobody offers

    async def life() -> float:
        await shop.place("guarded", instrument="EMPTY", price_guard={"reference": "1", "tolerance": "0"})
        began = shop.clock.monotonic()
        rest = [await shop.place(f"c{number}") for number in range(10)]
        await asyncio.gather(*(shop.settled(taken) for taken in rest))
        return shop.clock.monotonic() - began

    assert shop.run(life) < 3


def test_whoever_follows_a_working_order_hears_of_its_end(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> list[OrderState]:
        taken = await shop.place(type="limit", price="90")
        await shop.settled(taken)
        shop.broker.book["c1"]["status"] = "FILLED"
        return [account.order.state async for account in shop.desk.follow(taken.order.id)]

    assert shop.run(life)[-1] is OrderState.FILLED


def test_an_order_that_waits_survives_a_crash_and_is_sent_by_the_next_process(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def first() -> str:
        await away(shop)
        return (await shop.place()).order.id

    async def second() -> OrderState:
        shop.broker.away = False
        return (await shop.desk.wait(order_id, 100, final=False)).order.state

    order_id = shop.run(first, crash=True)
    assert shop.run(second) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]


@pytest.mark.parametrize("executed", [True, False])
def test_what_was_being_sent_at_a_crash_is_looked_up_before_anything_else_and_never_sent_again(
    tmp_path: Path, executed: bool
) -> None:
    shop = Shop(tmp_path, ["lost and done" if executed else "lost"], takes=5)

    async def first() -> str:
        taken = await shop.place()
        await shop.clock.sleep(1)
        return taken.order.id

    async def second() -> OrderState:
        return (await shop.desk.account(order_id)).order.state

    order_id = shop.run(first, crash=True)
    assert shop.on_disk("c1") == "sending"
    shop.broker.takes = 0.1
    assert shop.run(second) is (OrderState.FILLED if executed else OrderState.IN_DOUBT)
    assert shop.broker.placements("c1") == 1


def test_a_start_waits_no_longer_for_orders_in_doubt_than_it_was_told_to(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost"], takes=5)

    async def first() -> None:
        await shop.place()
        await shop.clock.sleep(1)

    shop.run(first, crash=True)
    began = shop.clock.monotonic()

    async def second() -> float:
        return shop.clock.monotonic() - began

    assert shop.run(second, recovery=10) == pytest.approx(10, abs=0.5)


def test_an_order_whose_time_ran_out_while_the_sidecar_was_down_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def first() -> str:
        await away(shop)
        return (await shop.place(ttl_seconds=100)).order.id

    async def second() -> OrderState:
        return (await shop.desk.wait(order_id, 100, final=False)).order.state

    order_id = shop.run(first, crash=True)
    shop.clock.advance(101)
    shop.broker.away = False
    assert shop.run(second) is OrderState.EXPIRED
    assert shop.broker.placements("c1") == 0


def test_what_is_under_way_when_the_sidecar_stops_is_in_doubt_and_found_by_the_next(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["done"], takes=5)

    async def first() -> str:
        taken = await shop.place()
        await shop.clock.sleep(1)
        return taken.order.id

    async def second() -> OrderState:
        return (await shop.desk.account(order_id)).order.state

    order_id = shop.run(first)
    assert shop.on_disk("c1") == "in_doubt"
    assert shop.run(second) is OrderState.FILLED
    assert shop.broker.executions == ["c1"]
