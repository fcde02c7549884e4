"""A bot that lost the answer to its order sends it once more: it is told what is so, whatever stands in the way."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sidecar.config.model import Queue
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
from tests.calls.scripted import Bench
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
