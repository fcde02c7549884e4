"""Bots' own requests that may wait are carried under their own ids, and without anything secret."""

from pathlib import Path

import pytest

from sidecar.orders.errors import UnsupportedError
from sidecar.wire import Request
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away, cancelling, proxied


def test_a_bots_own_order_is_carried_without_its_key_and_signature(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        taken = await shop.desk.divert("binance", proxied())
        assert taken is not None
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.FILLED
    kept = tmp_path.joinpath("state.db").read_bytes()
    assert b"c1" in kept
    assert b"bots-key" not in kept
    assert b"signature" not in kept


def test_a_bots_order_without_a_client_id_gets_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> str:
        taken = await shop.desk.divert("binance", proxied(newClientOrderId=""))
        assert taken is not None
        return taken.order.client_id

    assert shop.run(life).startswith("bs-")


@pytest.mark.parametrize(
    "target", ["GET /fapi/v1/order?symbol=X", "POST /fapi/v1/batchOrders", "POST /fapi/v1/leverage"]
)
def test_what_could_not_be_found_afterwards_is_not_carried(tmp_path: Path, target: str) -> None:

    shop = Shop(tmp_path)
    method, _, path = target.partition(" ")

    async def life() -> None:
        assert await shop.desk.divert("binance", Request(method, path, ())) is None

    shop.run(life)


def test_proxied_orders_are_kept_under_their_own_ids(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        await away(shop)
        taken = await shop.desk.divert("binance", proxied())
        assert taken is not None
        await shop.desk.heed("binance", cancelling())
        return taken.order.state

    assert shop.run(life) is OrderState.CANCELLED


def test_a_broker_without_keys_of_ours_is_told_how_to_get_its_orders_carried(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        with pytest.raises(UnsupportedError, match="credentials"):
            await shop.place(broker="oanda")

    shop.run(life)
