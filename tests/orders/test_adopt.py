"""Other settings of the queue hold from the next order on; what waits keeps what it was promised."""

from pathlib import Path

import pytest

from sidecar.config.model import Queue
from sidecar.orders.errors import QueueFullError
from sidecar.words import OrderState
from tests.orders.carrying import Shop, away, back

DEADLINE = 10.0


def test_another_size_holds_for_the_next_order_and_drops_none_that_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> list[str]:
        await away(shop)
        for name in ("a", "b", "c"):
            await shop.place(name, ttl_seconds=3600)
        shop.queue.adopt(Queue(size=2), DEADLINE)
        with pytest.raises(QueueFullError, match=r"queue\.size is 2"):
            await shop.place("d")
        await back(shop)
        return shop.broker.executions

    assert shop.run(life) == ["a", "b", "c"]


def test_another_time_to_live_holds_for_the_next_order_and_not_for_one_that_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def life() -> None:
        await away(shop)
        await shop.place("before")
        shop.queue.adopt(Queue(market_ttl_seconds=1), DEADLINE)
        await shop.place("after")
        await shop.clock.sleep(2)

    shop.run(life, crash=True)
    assert (shop.on_disk("before"), shop.on_disk("after")) == ("queued", "expired")


def test_another_rate_holds_at_once_for_those_that_wait(tmp_path: Path) -> None:
    shop = Shop(tmp_path, takes=0.01, queue={"drain_per_second": 0.01, "concurrency": 1})

    async def life() -> float:
        for number in range(4):
            await shop.place(f"c{number}", instrument=f"I{number}", ttl_seconds=3600)
        await shop.clock.sleep(1)
        assert len(shop.broker.executions) == 1
        shop.queue.adopt(Queue(drain_per_second=10), DEADLINE)
        began = shop.clock.monotonic()
        while len(shop.broker.executions) < 4:
            await shop.clock.sleep(0.05)
        return shop.clock.monotonic() - began

    assert shop.run(life) < 1


def test_an_order_in_doubt_is_given_up_by_the_new_time(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["lost"], queue={"doubt_seconds": 1e6})

    async def life() -> tuple[OrderState, float]:
        taken = await shop.place()
        await shop.clock.sleep(5)
        shop.queue.adopt(Queue(doubt_seconds=10), DEADLINE)
        account = await shop.settled(taken)
        return account.order.state, shop.clock.monotonic()

    state, seconds = shop.run(life)
    assert (state, seconds < 100) == (OrderState.DEAD, True)


def test_fewer_attempts_hold_for_an_order_that_is_tried_again(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ["definite"] * 99, retry={"attempts": 1}, breaker={"failures": 1000, "minimum_calls": 1000})

    async def life() -> OrderState:
        taken = await shop.place(ttl_seconds=1e5)
        await shop.clock.sleep(0.5)
        shop.queue.adopt(Queue(attempts=2), DEADLINE)
        return (await shop.settled(taken)).order.state

    assert shop.run(life) is OrderState.DEAD
    assert shop.broker.placements("c1") == 2
