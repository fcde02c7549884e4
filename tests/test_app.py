"""The order in which a sidecar starts."""

import asyncio
import errno
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.api import Api
from sidecar.api.errors import ApiError
from sidecar.app import App
from sidecar.clock import SystemClock
from sidecar.config.model import Config
from sidecar.orders.draft import OrderDraft
from sidecar.orders.queue import OrderQueue
from sidecar.orders.service import Orders
from sidecar.store import StoreClosedError, StoreError, writer
from sidecar.telemetry.events import LastRunTold, SelfChecked, Stopped

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


def test_a_position_that_a_stop_could_not_close_is_told_at_the_next_start(tmp_path: Path) -> None:
    settings = config(tmp_path, stop={"close_positions": ["binance"], "budget_seconds": 3})
    assert last_runs(settings) == []
    (told,) = last_runs(settings)
    assert "position not closed: what is held at binance: it does not say" in told.left


# The state file, the one start-up check that ends a start


def other_form(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def spoilt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged": (spoilt, "damaged"),
    "written by a newer sidecar": (other_form, "a newer sidecar has written the state file (version 999"),
    "no file": (a_folder, "no regular file"),
}


async def opened(settings: Config, told: list[SelfChecked]) -> App:
    app = App(settings, SystemClock(), lambda: settings)
    app.rooms.bus.subscribe(SelfChecked, told.append)
    await app.start()
    return app


async def refused(settings: Config) -> tuple[SelfChecked, str]:
    told: list[SelfChecked] = []
    with pytest.raises(StoreError) as failure:
        await opened(settings, told)
    (check,) = told
    return check, str(failure.value)


def lived(settings: Config) -> SelfChecked:
    """The check of one life that ends as it should."""
    told: list[SelfChecked] = []

    async def life() -> None:
        await (await opened(settings, told)).stop("told")

    asyncio.run(life())
    return told[0]


def test_a_start_tells_how_it_found_the_state_file(tmp_path: Path) -> None:
    first, second = lived(config(tmp_path)), lived(config(tmp_path))
    assert (first.check, first.passed, "was made: there was none" in first.detail) == ("state_file", True, True)
    assert (second.passed, second.detail) == (True, f"{tmp_path / 'state.db'} is in order")


@pytest.mark.parametrize("how", BAD)
def test_a_bad_state_file_fails_its_check_ends_the_start_and_is_left_as_it_is(tmp_path: Path, how: str) -> None:
    damage, words = BAD[how]
    lived(config(tmp_path))
    damage(tmp_path / "state.db")
    before = (tmp_path / "state.db").read_bytes() if (tmp_path / "state.db").is_file() else None
    check, why = asyncio.run(refused(config(tmp_path)))
    assert (check.check, check.passed, words in check.detail) == ("state_file", False, True)
    assert check.detail == why
    assert before is None or (tmp_path / "state.db").read_bytes() == before
    audited = "".join(file.read_text() for file in (tmp_path / "audit").glob("audit-*.jsonl"))
    assert '"self_checked"' in audited


def test_a_second_sidecar_on_the_same_state_file_fails_its_check(tmp_path: Path) -> None:
    async def both() -> SelfChecked:
        app = await opened(config(tmp_path), [])
        other = config(tmp_path, audit={"directory": tmp_path / "other"}, listen={"tcp": "127.0.0.1:0"})
        check, _ = await refused(other)
        await app.stop("told")
        return check

    check = asyncio.run(both())
    assert (check.passed, "another sidecar" in check.detail) == (False, True)


def test_a_folder_that_takes_no_file_fails_the_check(tmp_path: Path) -> None:
    check, _ = asyncio.run(refused(config(tmp_path, state={"path": Path("/proc/state.db")})))
    assert (check.passed, "check the folder's rights and space" in check.detail) == (False, True)


def test_a_full_disk_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(writer, "ensure", full)
    check, _ = asyncio.run(refused(config(tmp_path)))
    assert (check.passed, "No space left on device" in check.detail) == (False, True)


# How the last run ended


def test_a_kill_right_after_the_sockets_are_open_is_told_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"

    async def killed(_: Api) -> None:
        shutil.copy(tmp_path / "state.db", copy)
        shutil.copy(tmp_path / "state.db-wal", f"{copy}-wal")

    monkeypatch.setattr(Api, "start", killed)
    lived(config(tmp_path))
    monkeypatch.undo()
    assert [event.clean for event in last_runs(config(tmp_path, state={"path": copy}))] == [False]


def test_a_start_that_comes_to_nothing_is_no_run_and_what_was_left_before_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(_: Api) -> None:
        raise ApiError("the port is in use")

    last_runs(config(tmp_path, stop={"close_positions": ["binance"], "budget_seconds": 3}))
    monkeypatch.setattr(Api, "start", refuses)
    with pytest.raises(ApiError):
        asyncio.run(opened(config(tmp_path), []))
    monkeypatch.undo()
    (told,) = last_runs(config(tmp_path))
    assert (told.clean, len(told.left) > 0) == (True, True)
    assert last_runs(config(tmp_path)) == []


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
