"""The order in which a sidecar starts and stops."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.api import Api
from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.orders.draft import OrderDraft
from sidecar.orders.queue import OrderQueue
from sidecar.orders.service import Orders
from sidecar.store import StoreClosedError
from sidecar.telemetry.events import Stopped
from tests.lives import config, opened

DRAFT = OrderDraft.model_validate(
    {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": "kept"}
)


@pytest.fixture
def listened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders were known each time when the sockets were opened."""
    found: list[int] = []
    queues: list[OrderQueue] = []
    restore, start = OrderQueue.restore, Api.start

    async def restored(queue: OrderQueue) -> None:
        await restore(queue)
        queues.append(queue)

    async def started(api: Api) -> None:
        found.append(len(queues.pop()))
        await start(api)

    monkeypatch.setattr(OrderQueue, "restore", restored)
    monkeypatch.setattr(OrderQueue, "start", lambda _: None)
    monkeypatch.setattr(Api, "start", started)
    return found


def test_what_the_last_run_left_is_known_before_anybody_can_hand_in_or_cancel_an_order(
    tmp_path: Path, listened: list[int]
) -> None:
    async def life(*, place: bool) -> None:
        app = App(config(tmp_path), SystemClock(), lambda: config(tmp_path))
        await app.start()
        if place:
            assert app.rooms.orders.desk is not None
            await app.rooms.orders.desk.place(DRAFT)
        await app.stop("told")

    asyncio.run(life(place=True))
    asyncio.run(life(place=False))

    assert listened == [0, 1]


@pytest.mark.parametrize(
    ("stop", "left"),
    [({}, "queued"), ({"cancel_waiting_orders": True}, "cancelled"), ({"close_positions": ["binance"]}, "cancelled")],
)
def test_an_order_that_waits_at_a_stop_is_kept_or_taken_back_as_it_is_configured(
    tmp_path: Path, stop: dict[str, object], left: str
) -> None:
    async def life() -> None:
        app = App(config(tmp_path, stop=stop), SystemClock(), lambda: config(tmp_path))
        await app.start()
        assert app.rooms.orders.desk is not None
        app.rooms.gateways["binance"].hold.begin("it is not to be sent in this test", None)
        await app.rooms.orders.desk.place(DRAFT)
        await app.stop("told")

    asyncio.run(life())
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("SELECT state FROM orders").fetchall() == [(left,)]


# A stop during the start


def test_a_stop_during_the_recovery_ends_that_and_is_an_ordinary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def endless(_: Orders, seconds: float) -> None:
        begun.set()
        await asyncio.sleep(seconds * 1000)

    monkeypatch.setattr(Orders, "recover", endless)
    stopped: list[Stopped] = []

    async def life() -> None:
        app = App(config(tmp_path), SystemClock(), lambda: config(tmp_path))
        app.rooms.bus.subscribe(Stopped, stopped.append)
        assert not app.make_haste()
        starting = asyncio.create_task(app.start())
        await begun.wait()
        assert app.make_haste()
        await starting
        await app.stop("SIGTERM")

    asyncio.run(life())
    assert [event.reason for event in stopped] == ["SIGTERM"]


def test_a_recovery_that_fails_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Orders, seconds: float) -> None:
        raise StoreClosedError(f"after {seconds} s")

    monkeypatch.setattr(Orders, "recover", fails)
    with pytest.raises(StoreClosedError):
        asyncio.run(opened(config(tmp_path), []))
