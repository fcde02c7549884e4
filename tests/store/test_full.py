import asyncio
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from sidecar.store import Store, StoreFullError
from sidecar.store.writer import Writer
from tests.store.support import child, held, note, noted, opened, waiting

BIG = "v" * 400_000


def room(pages: int) -> "object":
    def work(connection: sqlite3.Connection) -> int:
        used: int = connection.execute("PRAGMA page_count").fetchone()[0]
        limit: int = connection.execute(f"PRAGMA max_page_count={used + pages}").fetchone()[0]
        return limit

    return work


async def test_a_work_that_does_not_fit_leaves_nothing_and_later_ones_work_again(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        await store.write(room(4))
        with pytest.raises(StoreFullError, match="does not take the write.*nothing was written; make room"):
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
    tmp_path: Path, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
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


async def test_a_disk_that_fails_at_the_commit_fails_the_batch_and_the_log_is_emptied_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    log = tmp_path / "state.db-wal"
    commits = 0

    class FailingCommit:
        """A connection whose commit fails as it does when the disk does not confirm."""

        def __init__(self, real: sqlite3.Connection) -> None:
            self._real = real

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

        def commit(self) -> None:
            nonlocal commits
            commits += 1
            failure = sqlite3.OperationalError("disk I/O error")
            failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            failure.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise failure

    async with opened(path) as store:
        writer = store._writer
        assert isinstance(writer, Writer)
        await store.write(note("before"))
        real = writer._connection
        monkeypatch.setattr(writer, "_connection", FailingCommit(real))
        async with held(store):
            pass_through = await waiting(store, [note("a"), note("b")])
        ends = await asyncio.gather(*pass_through, return_exceptions=True)
        assert [type(end) for end in ends] == [StoreFullError, StoreFullError]
        monkeypatch.setattr(writer, "_connection", real)
        assert log.stat().st_size > 0
        sizes: list[int] = []
        await store.write(lambda _: sizes.append(log.stat().st_size))
        assert sizes == [0]
        assert await store.read(noted) == {"before"}


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


async def test_a_file_that_may_not_grow_loses_nothing_and_goes_on_when_it_may(tmp_path: Path) -> None:
    await figures("fill-file", tmp_path / "state.db")


async def test_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "-Urm", "mount", "-t", "tmpfs", "x", tmp_path], check=False).returncode
    ):  # noqa: ASYNC221, S603
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
