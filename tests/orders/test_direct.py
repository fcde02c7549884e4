"""What a bot sends its broker directly agrees with what waits for the same account: nothing goes behind its back."""

import asyncio
from pathlib import Path

import pytest

from sidecar.wire import Request
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away, back, cancelling


def test_a_bots_own_cancel_keeps_a_waiting_order_from_being_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await away(shop)
        for client_id in ("c1", "c2", "c3"):
            await shop.place(client_id)
        await shop.desk.heed("binance", cancelling("c1"))
        ids = "%5B%22c2%22%5D"

        batch = Request("DELETE", f"/fapi/v1/batchOrders?symbol=BTCUSDT&origClientOrderIdList={ids}", ())
        await shop.desk.heed("binance", batch)
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == ["c3"]


def test_cancelling_everything_takes_back_what_waits_for_that_instrument(tmp_path: Path) -> None:

    shop = Shop(tmp_path)

    async def life() -> None:
        await away(shop)
        await shop.place("c1")
        await shop.place("other", instrument="ETHUSDT")
        await shop.desk.heed("binance", Request("DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT", ()))
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == ["other"]


def test_a_carried_cancel_of_a_waiting_order_is_done_at_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        await shop.place()
        cancel = await shop.desk.divert("binance", cancelling())
        assert cancel is not None
        await back(shop)
        return cancel.order.state

    assert shop.run(life) is OrderState.CANCELLED
    assert shop.broker.placements("c1") == 0


def test_cancelling_all_orders_leaves_conditional_ones_alone_as_the_broker_does(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> list[str]:
        await away(shop)
        await shop.place("order")
        await shop.place("stop", type="stop", stop_price="90", side="sell")
        await shop.desk.heed("binance", Request("DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT", ()))
        left = [order.client_id for order in shop.queue._book]
        await shop.desk.heed("binance", Request("DELETE", "/fapi/v1/algoOpenOrders?symbol=BTCUSDT", ()))
        return left + [order.client_id for order in shop.queue._book]

    assert shop.run(life) == ["stop"]


@pytest.mark.parametrize("parameters", ["orderId=77&recvWindow=5000", "orderId=5000"])
def test_a_cancel_by_the_brokers_number_takes_back_nothing_that_waits(tmp_path: Path, parameters: str) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await away(shop)
        await shop.place("5000")
        await shop.desk.heed("binance", Request("DELETE", f"/fapi/v1/order?symbol=BTCUSDT&{parameters}", ()))
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == ["5000"]


def test_a_cancel_for_another_instrument_takes_back_nothing_that_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    other = Request("DELETE", "/fapi/v1/order?symbol=ETHUSDT&origClientOrderId=c1", ())

    async def life() -> None:
        await away(shop)
        await shop.place()
        await shop.desk.heed("binance", other)
        cancel = await shop.desk.divert("binance", other)
        assert cancel is not None
        assert cancel.order.state is not OrderState.CANCELLED
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == ["c1"]


def test_an_order_that_waits_is_taken_back_by_a_change_that_the_broker_cannot_make(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    change = Request("PUT", "/fapi/v1/order?symbol=BTCUSDT&side=BUY&quantity=2&price=9&origClientOrderId=c1", ())

    async def life() -> None:
        await away(shop)
        await shop.place(type="limit", price="90")
        await shop.desk.heed("binance", change)
        await back(shop)

    shop.run(life)
    assert shop.broker.executions == []


def test_what_is_cancelled_while_it_is_being_taken_is_not_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        shop.store.takes = 1
        placing = asyncio.create_task(shop.place())
        await shop.clock.sleep(0.5)
        await shop.desk.heed("binance", cancelling())
        await placing
        await shop.clock.sleep(60)

    shop.run(life)
    assert shop.broker.executions == []
