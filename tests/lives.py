"""Whole lives of a sidecar in this process: started, and stopped again."""

import asyncio
from pathlib import Path

from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.telemetry.events import LastRunTold, SelfChecked


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


async def opened(settings: Config, told: list[SelfChecked]) -> App:
    app = App(settings, SystemClock(), lambda: settings)
    app.rooms.bus.subscribe(SelfChecked, told.append)
    await app.start()
    return app


def lived(settings: Config) -> SelfChecked:
    """The check of one life that ends as it should."""
    told: list[SelfChecked] = []

    async def life() -> None:
        await (await opened(settings, told)).stop("told")

    asyncio.run(life())
    return told[0]


def last_runs(settings: Config) -> list[LastRunTold]:
    """What one life tells of the one before."""
    told: list[LastRunTold] = []

    async def life() -> None:
        app = App(settings, SystemClock(), lambda: settings)
        app.rooms.bus.subscribe(LastRunTold, told.append)
        await app.start()
        await app.stop("told")

    asyncio.run(life())
    return told
