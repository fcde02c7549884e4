"""The process: its event loop, its signals, its exit code."""

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Final

import structlog
import uvloop

from sidecar.api.errors import ApiError
from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.config.load import load
from sidecar.config.model import Config
from sidecar.store import StoreError
from sidecar.telemetry.audit import AuditError
from sidecar.telemetry.logs import configure

SWITCH_SECONDS: Final = 0.0005
"""How long the audit and trace threads may keep the interpreter while a call waits for it. Python's own 5 ms is as long
as many a call to a broker takes."""


def run(config: Config, source: Path) -> int:
    """Run a sidecar until it is told to stop; returns the process's exit code."""
    configure(config.log.level, config.log.format)
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, source))


async def _reload_on(asked: asyncio.Event, app: App) -> None:
    """Reload whenever a signal asks for it; signals that come meanwhile are one."""
    while True:
        await asked.wait()
        asked.clear()
        await app.rooms.reload()


async def _serve(config: Config, source: Path) -> int:
    log = structlog.get_logger("sidecar")
    told = asyncio.Event()
    reason = ""

    def stop(number: signal.Signals) -> None:
        nonlocal reason
        if told.is_set():
            app.hurry()
        reason = reason or number.name
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    app = App(config, SystemClock(), lambda: load(source, os.environ))
    reloads = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloads.set)
    starting = asyncio.create_task(app.start())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if told.is_set() and not starting.done() and not app.make_haste():
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        log.warning("The sidecar was stopped while it started", signal=reason)
        return 0
    except (ApiError, AuditError, StoreError) as failure:
        log.critical("The sidecar cannot start", why=str(failure), config=str(source))
        return 1
    # What is here now stays for good: looked at again, it would hold up calls for tens of milliseconds at a time.
    gc.freeze()
    reloading = asyncio.create_task(_reload_on(reloads, app))
    await told.wait()
    reloading.cancel()
    await app.stop(reason)
    return 0
