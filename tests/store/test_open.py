import asyncio
import errno
import os
import random
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.store import (
    Store,
    StoreCorruptError,
    StoreError,
    StoreLockedError,
    StoreNewerError,
    StoreUnusableError,
    files,
)
from tests.store.support import PATIENCE, Lines, child, contents, line_of, names_in, note, noted, opened


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def filled(path: Path, notes: int = 300) -> None:
    """A closed state file of some dozen pages."""
    async with opened(path) as store:
        await asyncio.gather(*(store.write(note(f"n{number}", "v" * 200)) for number in range(notes)))


async def crashed(folder: Path) -> Path:
    """The files as a killed process leaves them: the newest commits only in the log."""
    (folder / "living").mkdir()
    (folder / "dead").mkdir()
    await filled(folder / "living" / "state.db")
    async with opened(folder / "living" / "state.db") as store:
        await store.write(note("newest"))
        for file in (folder / "living").glob("state.db*"):
            shutil.copy(file, folder / "dead")
    return folder / "dead" / "state.db"


async def refused(path: Path, error: type[StoreError], says: str) -> None:
    """The start is refused, no byte of any file is changed, none is added, and the lock is free again."""
    before = contents(path.parent)
    for _ in range(2):
        with pytest.raises(error, match=says):
            await Store(path).open()
        assert contents(path.parent) == before


# Where it lies


async def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path / "state.db") as store:
            await store.write(note("a"))
            assert {name: mode_of(tmp_path / name) for name in names_in(tmp_path)} == dict.fromkeys(
                ("state.db", "state.db-shm", "state.db-wal", "state.db.lock"), 0o600
            )
    finally:
        os.umask(before)


async def test_a_file_that_others_can_read_is_made_private(tmp_path: Path, logged: Lines) -> None:
    path = tmp_path / "state.db"
    await filled(path)
    path.chmod(0o644)
    async with opened(path):
        assert mode_of(path) == 0o600
        assert mode_of(tmp_path / "state.db-wal") == 0o600
    assert [line["was"] for line in logged] == ["0644"]


async def test_its_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusableError, match=r"folder .*/nowhere of the state file does not exist"):
        await Store(tmp_path / "nowhere" / "state.db").open()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
async def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "state.db")
    with pytest.raises(StoreUnusableError, match="no regular file"):
        await asyncio.wait_for(Store(tmp_path / "state.db").open(), PATIENCE)


async def test_names_that_mean_something_in_an_address_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "50%20 ?mode=ro#ü.db"
    await filled(path)
    async with opened(path) as store:
        assert len(await store.read(noted)) == 300
    assert path.is_file()


async def test_two_links_to_one_file_cannot_be_run_on_twice(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("a.db", "b.db"):
        (tmp_path / name).symlink_to(tmp_path / "real" / "state.db")
    async with opened(tmp_path / "a.db") as store:
        await store.write(note("a"))
        with pytest.raises(StoreLockedError):
            await Store(tmp_path / "b.db").open()
    assert names_in(tmp_path / "real") == ["state.db", "state.db.lock"]
    assert (tmp_path / "a.db").is_symlink()


async def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "b.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    with pytest.raises(StoreUnusableError, match="cannot be reached"):
        await Store(tmp_path / "a.db").open()


async def test_a_file_whose_rights_cannot_be_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "state.db"
    await filled(path)
    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", forbidden)
    with pytest.raises(StoreUnusableError, match="Operation not permitted"):
        await Store(path).open()


async def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "state.db.lock").symlink_to(victim)
    with pytest.raises(StoreUnusableError, match="symbolic link"):
        await Store(tmp_path / "state.db").open()
    assert victim.read_text() == "precious"


async def test_a_start_that_was_cut_short_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / "state.db.new").write_bytes(b"half a file")
    (tmp_path / "state.db.new-journal").write_bytes(b"half a journal")
    async with opened(tmp_path / "state.db") as store:
        await store.write(note("a"))
    assert names_in(tmp_path) == ["state.db", "state.db.lock"]


# One runner


async def test_a_second_runner_is_told_who_is_first(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    process = await child("hold", path)
    try:
        assert await line_of(process) == "open"
        with pytest.raises(StoreLockedError, match=rf"\(process {process.pid}\) runs on this state file; stop it"):
            await Store(path).open()
    finally:
        process.kill()
        await process.wait()
    async with opened(path) as store:
        await store.write(note("a"))


async def test_a_store_is_opened_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "state.db") as store:
        with pytest.raises(StoreLockedError, match="opened before"):
            await store.open()
        await store.write(note("a"))


async def test_an_opening_that_is_cancelled_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    opening = asyncio.create_task(Store(path).open())
    await asyncio.sleep(0)
    thread = next(thread for thread in threading.enumerate() if thread.name == "store-writer")
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.to_thread(thread.join, PATIENCE)
    async with opened(path) as store:
        await store.write(note("a"))


# Damage


async def test_a_log_that_a_crash_left_is_taken_up(tmp_path: Path) -> None:
    async with opened(await crashed(tmp_path)) as store:
        assert "newest" in await store.read(noted)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a header of garbage": lambda raw: bytes(range(100)) + raw[100:],
    "a text file": lambda _: b"state: none\n" * 1000,
    "cut inside a page": lambda raw: raw[: len(raw) // 2 + 7],
    "cut between pages": lambda raw: raw[: len(raw) // 4096 // 2 * 4096],
    "cut inside the header": lambda raw: raw[:50],
    "empty": lambda _: b"",
    "zeroes": lambda raw: bytes(len(raw)),
    "a page of garbage": lambda raw: raw[: len(raw) - 8192] + b"\xa5" * 4096 + raw[len(raw) - 4096 :],
    "a table's root flipped": lambda raw: raw[:4096] + bytes(byte ^ 0xFF for byte in raw[4096:4104]) + raw[4104:],
    "a column of another name": lambda raw: raw.replace(b"  value TEXT NOT NULL", b"  valve TEXT NOT NULL", 1),
    "a schema that is none": lambda raw: raw.replace(b"CREATE TABLE facts", b"CREATE TABLE f(cts", 1),
}


SCHEMA = ("a column of another name", "a schema that is none")


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"
    await filled(path)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    assert path.read_bytes() != whole
    await refused(path, StoreCorruptError, r"damaged \(.*move it away together with state.db-wal")


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in SCHEMA])
async def test_damage_beside_a_log_is_refused_and_both_are_left_as_they_are(tmp_path: Path, damage: str) -> None:
    path = await crashed(tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    # A page that the log holds anew is whole again; `filled` closed its file, so few pages are in the log.
    await refused(path, StoreCorruptError, "damaged")


async def test_a_log_without_its_file_is_not_thrown_away(tmp_path: Path) -> None:
    path = await crashed(tmp_path)
    path.unlink()
    await refused(path, StoreCorruptError, "missing, while its newest commits are still there")


def flip(path: Path, rng: random.Random, flips: int) -> None:
    raw = bytearray(path.read_bytes())
    for _ in range(flips):
        # Half of them where the file's own order is kept.
        at = rng.choice([rng.randrange(len(raw)), rng.randrange(len(raw) // 4096) * 4096 + rng.randrange(108)])
        raw[at] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_whatever_is_flipped_a_start_works_or_is_refused_untouched(seed: int, flips: int) -> None:
    async def main(path: Path) -> None:
        await filled(path, 40)
        flip(path, random.Random(seed), flips)
        before = contents(path.parent)
        store = Store(path)
        try:
            await store.open()
        except StoreError:
            assert contents(path.parent) == before
        else:
            await store.read(
                lambda connection: connection.execute("SELECT name, CAST(value AS BLOB), at FROM facts").fetchall()
            )
            await store.write(note("new"))
            await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "state.db"))


# Not ours to write


async def test_a_file_that_can_only_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await filled(path)
    raw = bytearray(path.read_bytes())
    # The "write version" of a later SQLite (https://www.sqlite.org/fileformat2.html): whoever is older may only read.
    raw[18] = 3
    path.write_bytes(raw)
    with pytest.raises(StoreUnusableError, match=r"cannot be opened for writing \(SQLITE_READONLY\)"):
        await Store(path).open()
    assert path.read_bytes() == raw


async def test_a_file_from_a_newer_sidecar_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with opened(path, ["SELECT 1"] * 99):
        pass
    await refused(path, StoreNewerError, r"version 99, this one knows \d+")


async def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "trades.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY)")
    connection.commit()
    connection.close()
    await refused(path, StoreUnusableError, "belongs to another program")


async def test_a_python_with_an_old_sqlite_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreUnusableError, match=r"too old .* at least 99\.0\.0"):
        await Store(tmp_path / "state.db").open()
    assert names_in(tmp_path) == []
