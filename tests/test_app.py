"""The order in which a sidecar starts."""

import asyncio
from pathlib import Path

import pytest

from sidecar.api import Api
from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.orders.draft import OrderDraft
from sidecar.orders.queue import OrderQueue

DRAFT = OrderDraft.model_validate(
    {"broker": "binance", "instrument": "BTCUSDT", "side": "buy", "quantity": "1", "client_id": "kept"}
)


def config(folder: Path) -> Config:
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
        app = App(config(tmp_path), SystemClock())
        await app.start()
        if place:
            assert app._desk is not None
            await app._desk.place(DRAFT)
        await app.stop("told")

    asyncio.run(life(place=True))
    asyncio.run(life(place=False))

    assert listened == [0, 1]
