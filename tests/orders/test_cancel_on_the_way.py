"""An order is taken back while it is on its way, and comes back unexecuted: it must not go again."""

from pathlib import Path

import pytest

from sidecar.words import OrderState
from tests.orders.carrying import Shop


def cancelled_on_the_way(shop: Shop, *, full_disk: bool = False) -> tuple[OrderState, OrderState]:
    """How a cancel ends that comes while its order is on its way, and the order."""

    async def life() -> tuple[OrderState, OrderState]:
        taken = await shop.place(type="limit", price="90")
        await shop.clock.sleep(1)
        assert taken.order.state is OrderState.SENDING
        cancel = await shop.desk.cancel(taken.order.id)
        if full_disk:
            await shop.clock.sleep(0.5)
            shop.store.full = True
            await shop.clock.sleep(10)
            shop.store.full = False
        ended = await shop.desk.wait(cancel.id, 1000, final=True)
        await shop.clock.sleep(100)
        return ended.order.state, (await shop.desk.account(taken.order.id)).order.state

    return shop.run(life)


@pytest.mark.parametrize("fate", ["definite", "limited"])
def test_a_cancel_ends_an_order_that_comes_back_unexecuted(tmp_path: Path, fate: str) -> None:
    shop = Shop(tmp_path, [fate], takes=2, retry={"attempts": 1})
    assert cancelled_on_the_way(shop) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert shop.broker.placements("c1") == 1
    assert not shop.broker.executions


def test_it_does_so_also_when_the_disk_is_full_meanwhile(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["definite"], takes=2, retry={"attempts": 1})
    assert cancelled_on_the_way(shop, full_disk=True) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert shop.broker.placements("c1") == 1


def test_a_cancel_of_an_order_that_got_through_goes_to_the_broker(tmp_path: Path) -> None:
    shop = Shop(tmp_path, takes=2)
    shop.broker.fills = False
    assert cancelled_on_the_way(shop) == (OrderState.CANCELLED, OrderState.CANCELLED)
    assert shop.broker.book["c1"]["status"] == "CANCELED"
