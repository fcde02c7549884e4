import asyncio
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.store import Store, StoreBusyError, StoreClosedError, StoreGoneError, files
from tests.store.support import PATIENCE, Lines, Work, commits_in_log, held, names_in, note, noted, one, opened, waiting


class RefusedError(Exception):
    pass


def refusing(name: str) -> Work:
    def work(connection: sqlite3.Connection) -> None:
        note(name)(connection)
        raise RefusedError

    return work


# One commit for many


async def test_works_that_wait_share_one_commit(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path) as store:
        before, commits = store.readings(), commits_in_log(path)
        async with held(store):
            tasks = await waiting(store, [note(f"n{number}") for number in range(50)])
        await asyncio.gather(*tasks)
        after = store.readings()
        assert after.writes - before.writes == 51
        assert after.batches - before.batches == 2
        # The work that held the writer up wrote nothing.
        assert commits_in_log(path) - commits == 1
        assert len(await store.read(noted)) == 50


async def test_a_batch_is_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            tasks = await waiting(store, [note(f"n{number}") for number in range(600)])
            assert store.readings().queued == 600
        await asyncio.gather(*tasks)
        assert store.readings().batches == 1 + 3


async def test_works_run_in_the_order_they_came(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            tasks = await waiting(store, [note(f"n{number}") for number in range(20)])
        await asyncio.gather(*tasks)
        rows = await store.read(lambda c: c.execute("SELECT name FROM facts ORDER BY rowid").fetchall())
        assert rows == [(f"n{number}",) for number in range(20)]


async def test_a_commit_waits_for_the_disk_and_keys_are_enforced(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        assert await store.write(one("PRAGMA journal_mode")) == "wal"
        assert await store.write(one("PRAGMA synchronous")) == 2
        assert await store.write(one("PRAGMA foreign_keys")) == 1
        assert await store.write(one("PRAGMA temp_store")) == 2


async def test_the_readings_tell_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    assert store.readings().writes == store.readings().file_bytes == 0
    await store.open()
    assert store.readings().last_commit_seconds is None
    await store.write(note("a"))
    readings = store.readings()
    assert (readings.writes, readings.batches, readings.failures, readings.queued) == (1, 1, 0, 0)
    assert readings.last_commit_seconds is not None
    assert readings.last_commit_seconds > 0
    assert readings.file_bytes == path.stat().st_size + (tmp_path / "state.db-wal").stat().st_size
    await store.close()


# One failure among many


async def test_a_failing_work_takes_back_only_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            tasks = await waiting(store, [note("a"), refusing("b"), note("c"), note("a"), note("d")])
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), RefusedError, type(None), sqlite3.IntegrityError, type(None)]
        assert await store.read(noted) == {"a", "c", "d"}
        assert store.readings().batches == 2


async def test_a_work_that_fails_alone_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(RefusedError):
            await store.write(refusing("a"))
        assert await store.read(noted) == set()
        await store.write(note("b"))
        assert await store.read(noted) == {"b"}


async def test_a_work_that_the_commit_refuses_fails_alone(tmp_path: Path) -> None:
    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys=ON")
        connection.execute("INSERT INTO order_changes VALUES ('nobody', 0, 'queued', NULL)")

    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            tasks = await waiting(store, [note("a"), orphan, note("b")])
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), sqlite3.IntegrityError, type(None)]
        assert await store.read(noted) == {"a", "b"}
        assert await store.read(one("SELECT count(*) FROM order_changes")) == 0


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "END", "commit()", "rollback()", "with"])
async def test_a_work_cannot_end_the_transaction_it_shares(tmp_path: Path, end: str) -> None:
    def ending(connection: sqlite3.Connection) -> None:
        note("x")(connection)
        if end == "with":
            with connection:
                pass
        elif end.endswith("()"):
            getattr(connection, end[:-2])()
        else:
            connection.execute(end)

    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            tasks = await waiting(store, [note("a"), ending, note("b")])
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(end, sqlite3.DatabaseError) for end in ends] == [False, True, False]
        assert await store.read(noted) == {"a", "b"}


async def test_a_work_may_raise_what_no_future_can_carry(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.write(lambda connection: next(connection.execute("SELECT 1 WHERE 0")))
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.read(lambda connection: next(connection.execute("SELECT 1 WHERE 0")))


def cursor_of(statement: str) -> Callable[[sqlite3.Connection], sqlite3.Cursor]:
    return lambda connection: connection.execute(statement)


async def test_a_cursor_that_a_work_left_open_harms_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            write = asyncio.create_task(store.write(cursor_of("INSERT INTO facts VALUES ('x', '', 0) RETURNING 1")))
            (other,) = await waiting(store, [note("a")])
        left = [await write, await store.read(cursor_of("SELECT * FROM facts"))]
        await other
        await store.write(note("b"))
        assert await store.read(noted) == {"a", "b", "x"}
        for cursor in left:
            with pytest.raises(sqlite3.ProgrammingError):
                cursor.fetchone()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40))
def test_what_is_stored_is_exactly_what_was_acknowledged(plan: list[tuple[int, bool]]) -> None:
    async def main(path: Path) -> None:
        async with opened(path) as store:
            async with held(store):
                tasks = await waiting(store, [(note if good else refusing)(f"n{name}") for name, good in plan])
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        acknowledged = [f"n{name}" for (name, _), end in zip(plan, ends, strict=True) if end is None]
        assert len(set(acknowledged)) == len(acknowledged)
        assert set(acknowledged) == {f"n{name}" for name, good in plan if good}
        async with opened(path) as store:
            assert await store.read(noted) == set(acknowledged)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "state.db"))


# Nobody waits


async def test_a_cancelled_caller_does_not_take_the_write_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            cancelled, kept = await waiting(store, [note("a"), note("b")])
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        await kept
        await store.write(note("c"))
        assert await store.read(noted) == {"a", "b", "c"}


async def test_a_write_that_nobody_waits_for_is_in_the_next_batch(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        async with held(store):
            store.write_nowait(note("a"))
            (waited,) = await waiting(store, [note("b")])
        await waited
        assert store.readings().batches == 2
        assert await store.read(noted) == {"a", "b"}


async def test_failures_that_nobody_waits_for_are_counted_and_logged_once(tmp_path: Path, logged: Lines) -> None:
    async with opened(tmp_path / "state.db") as store:
        for _ in range(5):
            store.write_nowait(refusing("secret"))
        await store.write(note("a"))
        assert store.readings().failures == 5
        assert store.readings().writes == 1
        assert await store.read(noted) == {"a"}
    assert [line["kind"] for line in logged] == ["RefusedError"]
    assert "secret" not in str(logged)


async def test_a_refusal_that_its_caller_hears_of_is_no_failure_of_the_store(tmp_path: Path, logged: Lines) -> None:
    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(RefusedError):
            await store.write(refusing("a"))
        assert store.readings().failures == 0
    assert logged == []


# Reading


async def test_a_read_does_not_wait_for_writes(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(note("a"))
        async with held(store):
            assert await store.read(noted) == {"a"}


async def test_a_read_sees_one_moment(tmp_path: Path) -> None:
    half, go_on = threading.Event(), threading.Event()

    def twice(connection: sqlite3.Connection) -> list[set[str]]:
        first = noted(connection)
        half.set()
        assert go_on.wait(10)
        return [first, noted(connection)]

    async with opened(tmp_path / "state.db") as store:
        await store.write(note("a"))
        read = asyncio.create_task(store.read(twice))
        assert await asyncio.to_thread(half.wait, 10)
        await store.write(note("b"))
        go_on.set()
        assert await read == [{"a"}, {"a"}]
        assert await store.read(noted) == {"a", "b"}


async def test_a_read_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await store.read(note("a"))
        with pytest.raises(RefusedError):
            await store.read(lambda _: (_ for _ in ()).throw(RefusedError))
        assert await store.read(noted) == set()


# The end


async def test_close_completes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    await store.open()
    async with held(store):
        tasks = await waiting(store, [note(f"n{number}") for number in range(300)])
        store.write_nowait(note("last"))
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    await closing
    async with opened(path) as again:
        assert await again.read(noted) == {f"n{number}" for number in range(300)} | {"last"}


async def test_a_cancelled_close_still_closes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    await store.open()
    async with held(store):
        (written,) = await waiting(store, [note("a")])
        closing = asyncio.create_task(store.close())
        # The reader ends first; then only the writer, which is held up, is waited for.
        assert store._reads is not None
        await asyncio.to_thread(store._reads._thread.join, PATIENCE)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    await written
    await store.close()
    async with opened(path) as again:
        assert await again.read(noted) == {"a"}


async def test_after_close_there_is_one_whole_file(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        await store.write(note("a"))
    assert names_in(tmp_path) == ["state.db", "state.db.lock"]


async def unusable(store: Store) -> None:
    with pytest.raises(StoreClosedError):
        await store.write(note("a"))
    with pytest.raises(StoreClosedError):
        await store.read(noted)
    with pytest.raises(StoreClosedError):
        store.write_nowait(note("a"))


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    await unusable(store)
    await store.close()
    await store.open()
    await store.close()
    await unusable(store)
    await store.close()


# Others at the file


async def test_a_file_that_was_removed_or_replaced_takes_no_more_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for name in ("state.db", "state.db-wal"):
        async with opened(path) as store:
            await store.write(note(f"before {name} went"))
            (tmp_path / name).rename(tmp_path / "elsewhere")
            with pytest.raises(StoreGoneError, match="removed or replaced"):
                await store.write(note("a"))
            (tmp_path / name).write_bytes((tmp_path / "elsewhere").read_bytes())
            with pytest.raises(StoreGoneError, match="removed or replaced"):
                await store.write(note("a"))
            (tmp_path / "elsewhere").replace(tmp_path / name)
            await store.write(note(f"after {name} came back"))


async def test_a_lock_of_another_program_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    path = tmp_path / "state.db"
    async with opened(path) as store:
        intruder = sqlite3.connect(path, isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="another program"):
            await store.write(note("a"))
        intruder.execute("ROLLBACK")
        intruder.close()
        await store.write(note("b"))
        assert await store.read(noted) == {"b"}
