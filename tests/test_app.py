"""The order in which a sidecar starts."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.api import Api
from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.orders.draft import OrderDraft
from sidecar.orders.queue import OrderQueue
from sidecar.telemetry.events import LastRunTold

DRAFT = OrderDraft.model_validate(
    {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": "kept"}
)


def config(folder: Path, **settings: object) -> Config:
    broker = {
        "profile": "binance-usdm",
        "base_url": "http://127.0.0.1:9",
        "credentials": {"key": "k", "secret": "s"},
    }
    return Config.model_validate(
        {
            "listen": {"tcp": None, "unix": folder / "s"},
            "scrape": {"address": "127.0.0.1:0"},
            "audit": {"directory": folder / "audit"},
            "state": {"path": folder / "state.db"},
            "brokers": {"binance": broker},
        }
        | settings
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
            assert app._desk is not None
            await app._desk.place(DRAFT)
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
        assert app._desk is not None
        app.gateways["binance"].hold("it is not to be sent in this test", None)
        await app._desk.place(DRAFT)
        await app.stop("told")

    asyncio.run(life())
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("SELECT state FROM orders").fetchall() == [(left,)]


def test_a_position_that_a_stop_could_not_close_is_told_at_the_next_start(tmp_path: Path) -> None:
    settings = config(tmp_path, stop={"close_positions": ["binance"], "budget_seconds": 3})
    told: list[LastRunTold] = []

    async def life() -> None:
        app = App(settings, SystemClock(), lambda: settings)
        app._bus.subscribe(LastRunTold, told.append)
        await app.start()
        await app.stop("told")

    asyncio.run(life())
    assert told == []
    asyncio.run(life())
    assert "position not closed: what is held at binance: it does not say" in told[0].left
