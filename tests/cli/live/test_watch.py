"""The watch looks and listens in the background, and outlives the sidecar."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sidecar.cli.ask import AskError, Target
from sidecar.cli.live.glance import look
from sidecar.cli.live.watch import Watch
from sidecar.clock import SystemClock
from sidecar.telemetry.events import BreakerTransition, GateOpened
from sidecar.words import BreakerState
from tests.api.support import House, house

OPENED = BreakerTransition("oanda", "orders", BreakerState.CLOSED, BreakerState.OPEN, "failures", 5.0)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        # It changes in another thread, which tells nobody.
        while not await asyncio.to_thread(_soon, true):
            pass


def _soon(true: Callable[[], bool]) -> bool:
    time.sleep(0.01)
    return true()


def watch(folder: Path) -> Watch:
    return Watch(Target(socket=folder / "s"), SystemClock(), 0.05)


async def test_it_knows_the_sidecar_and_hears_its_events(running: House, tmp_path: Path) -> None:
    def tell() -> bool:
        running.bus.emit(OPENED)
        return bool(watching.view().events)

    with watch(tmp_path) as watching:
        await until(lambda: watching.view().glance is not None)
        await until(tell)
        view = watching.view()
    assert view.problem == ""
    assert view.glance is not None
    assert [broker.name for broker in view.glance.brokers] == ["binance", "oanda"]
    assert view.events[0].words == "oanda breaker orders: closed -> open (failures)"


async def test_what_happens_again_and_again_is_one_line(running: House, tmp_path: Path) -> None:
    def tell() -> bool:
        running.bus.emit(OPENED)
        running.bus.emit(GateOpened("oanda"))
        return any(event.times > 2 for event in watching.view().events)

    with watch(tmp_path) as watching:
        await until(tell)
        assert sorted(event.words for event in watching.view().events) == [
            "oanda breaker orders: closed -> open (failures)",
            "oanda gate open again",
        ]


async def test_it_goes_on_when_the_sidecar_is_back(tmp_path: Path) -> None:
    with watch(tmp_path) as watching:
        await until(lambda: "nothing listens" in watching.view().problem)
        assert watching.view().glance is None
        async with house(tmp_path):
            await until(lambda: watching.view().glance is not None and not watching.view().problem)
        await until(lambda: "nothing listens" in watching.view().problem)
        assert watching.view().glance is not None, "the last that was known"
        async with house(tmp_path):
            await until(lambda: not watching.view().problem)


async def test_a_sidecar_without_orders_and_errors_has_none_to_tell(running: House, tmp_path: Path) -> None:
    del running
    seen = await asyncio.to_thread(look, Target(socket=tmp_path / "s"), 5.0)
    assert (seen.at, seen.orders, seen.errors) == (5.0, None, None)


@contextlib.asynccontextmanager
async def telling(path: Path, pages: dict[str, object]) -> AsyncIterator[Target]:
    """Something that answers as a sidecar would."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        body = json.dumps(pages[asked]).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield Target(socket=path)


STATUS = {
    "bot": "tester",
    "version": "1",
    "uptime_seconds": 1,
    "state": "ready",
    "detail": "",
    "calls_in_flight": 0,
    "brokers": [],
}


async def test_orders_in_doubt_come_first_and_errors_are_told(tmp_path: Path) -> None:
    under_way = "/v1/orders?state=sending&state=queued&state=accepted&state=working&limit=100"
    pages = {
        "/v1/status": STATUS,
        "/v1/brokers": {"brokers": []},
        "/v1/orders?state=in_doubt&limit=1000": {"orders": [{"state": "in_doubt", "broker": "oanda", "else": 1}]},
        under_way: {"orders": [{"state": "queued", "client_id": "one", "created_at": 5}]},
        "/v1/errors?resolved=false&limit=1000": {"errors": [{"type": "auth_failed", "severity": "critical"}]},
    }
    async with telling(tmp_path / "s", pages) as target:
        seen = await asyncio.to_thread(look, target, 5.0)
    assert [order.state for order in seen.orders or ()] == ["in_doubt", "queued"]
    assert [error.type for error in seen.errors or ()] == ["auth_failed"]


async def test_what_is_no_sidecar_is_told(tmp_path: Path) -> None:
    async with telling(tmp_path / "s", {"/v1/status": {}}) as target:
        with pytest.raises(AskError, match="no sidecar of this version"):
            await asyncio.to_thread(look, target, 5.0)
