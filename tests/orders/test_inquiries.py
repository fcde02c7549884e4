"""Whoever waits for an order is told of it in time, also when the sidecar is stopped meanwhile."""

import asyncio
from pathlib import Path

import pytest

from sidecar.orders.inquiries import Account
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away


async def told_at_a_stop(shop: Shop, order_id: str, *, final: bool) -> Account:
    """What is told to somebody who waits when the sidecar is stopped, and who is not kept."""
    waiting = asyncio.create_task(shop.desk.wait(order_id, 1000, final=final))
    await shop.clock.sleep(0.5)
    shop.queue.wind_down()
    shop.desk.end_waits()
    began = shop.clock.monotonic()
    account = await waiting
    assert shop.clock.monotonic() - began < 10
    return account


def test_who_waits_for_an_order_that_waits_is_told_so_at_a_stop(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> Account:
        await away(shop)
        return await told_at_a_stop(shop, (await shop.place()).order.id, final=False)

    assert shop.run(life).order.state is OrderState.QUEUED


def test_who_waits_for_the_end_of_an_order_in_the_book_is_told_that_it_works_at_a_stop(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> Account:
        order = (await shop.settled(await shop.place(type="limit", price="90"))).order
        return await told_at_a_stop(shop, order.id, final=True)

    assert shop.run(life).order.state is OrderState.WORKING


@pytest.mark.parametrize("final", [True, False])
def test_who_waits_for_an_order_that_is_on_its_way_at_a_stop_is_told_what_becomes_of_it(
    tmp_path: Path, final: bool
) -> None:
    shop = Shop(tmp_path, takes=3)

    async def life() -> Account:
        return await told_at_a_stop(shop, (await shop.place()).order.id, final=final)

    assert shop.run(life).order.state is OrderState.FILLED
