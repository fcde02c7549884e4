import asyncio
import errno
import shutil
import sqlite3
from pathlib import Path

import pytest

from sidecar.store import Store, StoreFullError
from sidecar.store.log import Log
from tests.store.nosync import SYNCS
from tests.store.support import Lines, Work, child, held, line_of, note, noted, opened, waiting

BIG = "v" * 400_000


def room(pages: int) -> Work:
    """The file may have this many pages more."""

    def work(connection: sqlite3.Connection) -> None:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={used + pages}")

    return work


async def test_a_work_that_does_not_fit_leaves_nothing_and_later_ones_work_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.write(room(4))
        with pytest.raises(StoreFullError, match=r"does not take the write.*nothing was written; make room"):
            await store.write(note("big", BIG))
        await store.write(note("small"))
        await store.write(room(1000))
        await store.write(note("big", BIG))
        assert store.readings().failures == 1
    async with opened(path) as store:
        assert await store.read(noted) == {"small", "big"}


async def test_a_work_that_does_not_fit_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.write(room(4))
        async with held(store):
            tasks = await waiting(store, [note("a"), note("big", BIG), note("b")])
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), StoreFullError, type(None)]
    async with opened(path) as store:
        assert await store.read(noted) == {"a", "b"}


async def test_a_work_cannot_hide_that_it_did_not_fit(tmp_path: Path) -> None:
    def careless(connection: sqlite3.Connection) -> None:
        try:
            note("big", BIG)(connection)
        except sqlite3.OperationalError:
            return

    async with opened(tmp_path / "state.db") as store:
        await store.write(room(4))
        with pytest.raises(sqlite3.OperationalError):
            await store.write(careless)


async def test_a_full_disk_is_told_once_and_its_end_too(
    tmp_path: Path, logged: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(room(4))
        for _ in range(5):
            with pytest.raises(StoreFullError):
                await store.write(note("big", BIG))
            await store.write(lambda _: None)
        assert [line["event"] for line in logged] == ["State file cannot be written"]
        monkeypatch.setattr("sidecar.store.failures.QUIET_SECONDS", 0.0)
        await store.write(lambda _: None)
        assert [(line["event"], line.get("failures")) for line in logged[1:]] == [("State file is written again", 5)]
    assert "vvv" not in str(logged)


class UnconfirmedCommits:
    """A connection whose commits fail as they do when the disk does not confirm them."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real
        self.tried = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def commit(self) -> None:
        self.tried += 1
        failure = sqlite3.OperationalError("disk I/O error")
        failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        failure.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise failure


@pytest.mark.skipif(SYNCS is None, reason="the numbers of this machine's calls are not known")
async def test_a_commit_that_the_disk_did_not_confirm_does_not_come_back_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    process = await child("unconfirmed", path)
    said = [await line_of(process) for _ in range(8)]
    assert said == [
        *(f"written good-{number}" for number in range(3)),
        "disk broken",
        *(f"refused bad-{number}" for number in range(3)),
        "readable 3",
    ]
    process.kill()
    await process.wait()
    async with opened(path) as store:
        assert await store.read(noted) == {"good-0", "good-1", "good-2"}


async def test_a_log_that_cannot_be_cut_takes_nothing_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async with opened(tmp_path / "state.db") as store:
        await store.write(note("before"))
        with monkeypatch.context() as broken:
            broken.setattr(Log, "cut", failing)
            with broken.context() as worse:
                worse.setattr(store._writer, "_connection", UnconfirmedCommits(connection_of(store)))
                with pytest.raises(StoreFullError, match="SQLITE_IOERR_FSYNC"):
                    await store.write(note("a"))
            with pytest.raises(StoreFullError, match="Input/output error"):
                await store.write(note("b"))
        await store.write(note("c"))
        assert await store.read(noted) == {"before", "c"}


async def test_a_failing_disk_is_not_asked_again_for_every_work_of_the_batch(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        broken = UnconfirmedCommits(connection_of(store))
        tasks: list[asyncio.Task[None]] = []
        async with held(store):
            tasks += await waiting(store, [breaks(store, broken), note("a"), note("b")])
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [StoreFullError] * 3
        assert broken.tried == 1


def connection_of(store: Store) -> sqlite3.Connection:
    assert store._writer is not None
    return store._writer._connection


def breaks(store: Store, broken: UnconfirmedCommits) -> Work:
    def work(_: sqlite3.Connection) -> None:
        vars(store._writer)["_connection"] = broken

    return work


async def figures(*command: str | Path, before: list[str] | None = None) -> None:
    process = await child(*command, before=before or [])
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    lines = [line.split() for line in out.decode().splitlines()]
    written = {name for what, name in lines if what == "written"}
    found = {name for what, name in lines if what == "found"}
    first = [name for name in written if name.startswith("first-")]
    assert ["full", "True"] in lines
    assert ["readable", str(len(first))] in lines
    assert len(first) > 20
    assert len(written) == len(first) + 20
    assert found == written


async def returncode(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


async def test_a_file_that_may_not_grow_loses_nothing_and_goes_on_when_it_may(tmp_path: Path) -> None:
    await figures("fill-file", tmp_path / "state.db")


async def test_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or await returncode(unshare, "-Urm", "mount", "-t", "tmpfs", "x", str(tmp_path)):
        pytest.skip("no right to mount a small file system")
    mount = f'mount -t tmpfs -o size=4m x "{tmp_path}" && exec "$@"'
    await figures("fill-disk", tmp_path / "state.db", before=[unshare, "-Urm", "sh", "-c", mount, "sh"])


async def test_the_error_is_no_secret_teller(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    await store.open()
    await store.write(room(4))
    with pytest.raises(StoreFullError) as caught:
        await store.write(note("big", BIG))
    assert "vvv" not in f"{caught.value} {caught.value.__cause__}"
    await store.close()
