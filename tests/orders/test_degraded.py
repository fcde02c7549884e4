"""Carried orders while the broker's degradation level takes no new risk."""

import asyncio
from pathlib import Path

import pytest

from sidecar.orders.draft import OrderDraft
from sidecar.words import DegradationLevel, OrderState, Priority
from tests.orders.carrying import Shop, cancelling

READ_ONLY = DegradationLevel.READ_ONLY


def degrade(shop: Shop, seconds: float = 600) -> None:
    shop.bench.degradation.degrade(READ_ONLY, "flat", seconds)


def test_new_risk_waits_until_the_level_allows_it_and_is_sent_at_once_then(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"market_ttl_seconds": 3600})

    async def life() -> tuple[OrderState, list[str], float, OrderState]:
        degrade(shop)
        taken = await shop.place()
        await shop.clock.sleep(300)
        before, sent = taken.order.state, list(shop.broker.executions)
        shop.bench.degradation.recover("all clear")
        began = shop.clock.monotonic()
        account = await shop.settled(taken)
        return before, sent, shop.clock.monotonic() - began, account.order.state

    before, sent, took, after = shop.run(life)
    assert (before, sent) == (OrderState.QUEUED, [])
    assert after is OrderState.FILLED
    assert took < 1


def test_it_is_told_why_it_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> str:
        degrade(shop)
        return (await shop.place()).order.reason

    assert shop.run(life) == "waits until the broker's degradation level allows new risk"


def test_what_an_open_position_waits_for_is_sent_though_its_request_tells_nothing_of_that(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        degrade(shop)
        stop = {"broker": "binance", "instrument": "BTCUSDT", "side": "sell", "quantity": "1", "client_id": "stop"}
        await shop.settled(await shop.desk.place(OrderDraft.model_validate(stop), urgent=True))

    shop.run(life)
    assert shop.broker.executions == ["stop"]
    assert shop.bench.finished.priority is Priority.REDUCE


def test_it_is_sent_when_what_a_person_set_is_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> float:
        running = asyncio.create_task(shop.bench.degradation.run())
        degrade(shop, 100)
        began = shop.clock.monotonic()
        await shop.settled(await shop.place())
        running.cancel()
        return shop.clock.monotonic() - began

    assert shop.run(life) == pytest.approx(100, abs=1)
    assert shop.broker.executions == ["c1"]


def test_it_expires_like_any_order_that_could_not_be_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"market_ttl_seconds": 60})

    async def life() -> OrderState:
        degrade(shop)
        return (await shop.settled(await shop.place())).order.state

    assert shop.run(life) is OrderState.EXPIRED
    assert shop.broker.placements("c1") == 0


def test_what_reduces_risk_is_sent_past_new_risk_that_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> OrderState:
        degrade(shop)
        await shop.place("opens")
        closing = await shop.place("closes", instrument="ETHUSDT", side="sell", reduce_only=True)
        return (await shop.settled(closing)).order.state

    assert shop.run(life) is OrderState.FILLED
    assert shop.broker.executions == ["closes"]


def test_a_carried_cancel_is_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broker.fills = False

    async def life() -> str:
        await shop.settled(await shop.place("resting", type="limit", price="90"))
        degrade(shop)
        await shop.bench.gateway.run(cancelling("resting"), deadline_seconds=5)
        return str(shop.broker.book["resting"]["status"])

    assert shop.run(life) == "CANCELED"


def test_orders_of_one_instrument_keep_their_order_while_the_first_may_not_go(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> list[str]:
        degrade(shop)
        await shop.place("opens")
        closing = await shop.place("closes", side="sell", reduce_only=True)
        await shop.clock.sleep(100)
        held = list(shop.broker.executions)
        shop.bench.degradation.recover("all clear")
        await shop.settled(closing)
        return held

    assert shop.run(life) == []
    assert shop.broker.executions == ["opens", "closes"]
