"""A bot that lost the answer to its order sends it once more: it is told what is so, whatever stands in the way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sidecar.config.model import Queue
from sidecar.orders.draft import OrderDraft
from sidecar.orders.errors import (
    ConflictError,
    DoubtfullyRecordedError,
    OrderError,
    QueueFullError,
    StoppingError,
    UnrecordedError,
)
from sidecar.orders.ledger import Ledger
from sidecar.orders.order import Kind, Order
from sidecar.orders.queue import OrderQueue
from sidecar.store import StoreFullError
from sidecar.wire import Request
from sidecar.words import OrderState
from tests.calls.scripted import Bench
from tests.orders.carrying import Shop, away, back, cancelling, proxied
from tests.orders.support import PROFILE, FullStore

Hindrance = Callable[[OrderQueue, FullStore], None]


def crowded(_queue: OrderQueue, _store: FullStore) -> None:
    """The one order that has been taken fills the queue."""


def stopping(queue: OrderQueue, _store: FullStore) -> None:
    queue.wind_down()


def on_a_full_disk(queue: OrderQueue, store: FullStore) -> None:
    queue.adopt(Queue(size=10), 9)
    store.full = True


HINDRANCES = {crowded: QueueFullError, stopping: StoppingError, on_a_full_disk: UnrecordedError}


def order(client_id: str, quantity: str = "1") -> Order:
    target = f"/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity={quantity}&newClientOrderId={client_id}"
    request = Request("POST", target, ())
    return Order(
        f"id-{client_id}-{quantity}", "binance", Kind.ORDER, client_id, PROFILE.lane(request), request, 0, 99e9
    )


def in_a_queue_of_one(folder: Path, life: Callable[[OrderQueue, FullStore], Awaitable[None]]) -> None:
    bench = Bench(())

    async def main() -> None:
        store = FullStore(folder / "state.db")
        await store.open()
        parts: dict[str, Any] = {"bus": bench.gateway._bus, "clock": bench.clock, "rng": Random(1)}
        ledger = Ledger(store, 1000, bench.clock)
        queue = OrderQueue(bench.gateway, PROFILE, ledger, Queue(size=1), deadline_seconds=9, **parts)
        await queue.take(order("a"))
        await life(queue, store)
        await queue.finish()
        await store.close()

    bench.clock.run(main())


@pytest.mark.parametrize("hinder", HINDRANCES)
def test_an_order_that_was_taken_is_not_refused_when_it_comes_again(tmp_path: Path, hinder: Hindrance) -> None:
    async def life(queue: OrderQueue, store: FullStore) -> None:
        hinder(queue, store)
        again = await queue.take(order("a"))
        assert (again.known, again.order.id) == (True, "id-a-1")

    in_a_queue_of_one(tmp_path, life)


@pytest.mark.parametrize(("hinder", "error"), HINDRANCES.items())
def test_an_order_that_was_not_taken_is_refused(tmp_path: Path, hinder: Hindrance, error: type[OrderError]) -> None:
    async def life(queue: OrderQueue, store: FullStore) -> None:
        hinder(queue, store)
        with pytest.raises(error, match="not taken"):
            await queue.take(order("b"))

    in_a_queue_of_one(tmp_path, life)


@pytest.mark.parametrize("hinder", HINDRANCES)
def test_another_order_under_its_client_id_is_a_conflict(tmp_path: Path, hinder: Hindrance) -> None:
    async def life(queue: OrderQueue, store: FullStore) -> None:
        hinder(queue, store)
        with pytest.raises(ConflictError):
            await queue.take(order("a", quantity="2"))

    in_a_queue_of_one(tmp_path, life)


@pytest.mark.parametrize("hinder", HINDRANCES)
def test_what_cannot_be_looked_up_is_not_told_as_refused(
    tmp_path: Path, hinder: Hindrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(_ledger: Ledger, _wanted: object) -> list[Order]:
        await asyncio.sleep(0)
        raise StoreFullError("unreadable")

    async def life(queue: OrderQueue, store: FullStore) -> None:
        hinder(queue, store)
        monkeypatch.setattr(Ledger, "select", unreadable)
        with pytest.raises(DoubtfullyRecordedError, match="perhaps taken"):
            await queue.take(order("a"))

    in_a_queue_of_one(tmp_path, life)


# The same order again


def test_the_same_order_again_is_the_same_order(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = shop.outcome()

    async def again() -> None:
        taken = await shop.place()
        assert taken.known
        assert taken.order.id == first.order.id

    shop.run(again)
    assert shop.broker.executions == ["c1"]


def test_another_order_with_the_same_client_id_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.outcome()

    async def other() -> None:
        with pytest.raises(ConflictError, match="client id"):
            await shop.place(quantity="2")

    shop.run(other)
    assert shop.broker.executions == ["c1"]


def test_an_order_under_the_key_of_another_one_is_refused_whatever_its_client_id(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    def under(client_id: str) -> OrderDraft:
        terms = {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": client_id}
        return OrderDraft.model_validate(terms)

    async def first() -> None:
        await shop.settled(await shop.desk.place(under("c1"), key=b"k1"))
        with pytest.raises(ConflictError, match="its Idempotency-Key belongs to another order"):
            await shop.desk.place(under("c2"), key=b"k1")

    async def second() -> None:
        keyed = replace(proxied("c3"), headers=((b"Idempotency-Key", b"k1"),))
        with pytest.raises(ConflictError, match="its Idempotency-Key belongs to another order"):
            await shop.desk.divert("binance", keyed)
        with pytest.raises(ConflictError, match="taken an order under this id already"):
            await shop.desk.heed("binance", keyed)
        assert (await shop.desk.place(under("c1"), key=b"k1")).known
        await shop.settled(await shop.desk.place(under("c4"), key=b"k2"))

    shop.run(first)
    shop.run(second)
    assert shop.broker.executions == ["c1", "c4"]


# Room, and the disk


def test_a_full_queue_says_so_and_takes_cancels_all_the_same(tmp_path: Path) -> None:
    shop = Shop(tmp_path, queue={"size": 2})
    shop.broker.fills = False

    async def life() -> None:
        resting = await shop.place("resting", type="limit", price="90")
        await shop.settled(resting)
        await away(shop)
        await shop.place("c1")
        await shop.place("c2")
        with pytest.raises(QueueFullError, match=r"queue\.size is 2"):
            await shop.place("c3")
        await shop.desk.cancel(resting.order.id)
        await back(shop)

    shop.run(life)
    assert "c3" not in shop.broker.book
    assert shop.broker.book["resting"]["status"] == "CANCELED"


def test_a_full_queue_takes_what_reduces_risk_up_to_a_bound_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.orders.room.LEAST_RESERVE", 2)
    shop = Shop(tmp_path, queue={"size": 1})

    async def life() -> None:
        await away(shop)
        await shop.place("entry")
        for client_id in ("stop", "close"):
            await shop.place(client_id, reduce_only=True)
        with pytest.raises(QueueFullError, match="although it reduces risk"):
            await shop.place("another", reduce_only=True)
        await shop.desk.divert("binance", cancelling("entry"))  # makes room, and so is taken all the same

    shop.run(life)
    assert shop.states("entry")[-1] is OrderState.CANCELLED
    assert "another" not in shop.broker.book


def test_a_full_disk_takes_no_order_and_nothing_is_sent(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        shop.store.full = True
        with pytest.raises(UnrecordedError, match="not taken"):
            await shop.place()
        shop.store.full = False
        await shop.clock.sleep(10)

    shop.run(life)
    assert shop.broker.sent == []
