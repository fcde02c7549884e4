"""What the tests of the store share: works, stores that are open, a writer that is held up, children to kill."""

import asyncio
import sqlite3
import struct
import sys
import threading
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sidecar.store import Store

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
Work = Callable[[sqlite3.Connection], None]
Lines = list[MutableMapping[str, Any]]


def note(name: str, value: str = "") -> Work:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO facts VALUES (?, ?, 0)", (name, value))

    return work


def noted(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM facts")}


def one(statement: str) -> Callable[[sqlite3.Connection], object]:
    def work(connection: sqlite3.Connection) -> object:
        return connection.execute(statement).fetchone()[0]

    return work


@asynccontextmanager
async def opened(path: Path, migrations: Sequence[str] | None = None) -> AsyncIterator[Store]:
    store = Store(path, migrations=migrations)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def held(store: Store) -> AsyncIterator[None]:
    """The writer is busy with one work until the block ends; whatever is written meanwhile waits."""
    entered, leave = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        entered.set()
        assert leave.wait(PATIENCE)

    busy = asyncio.create_task(store.write(work))
    assert await asyncio.to_thread(entered.wait, PATIENCE)
    try:
        yield
    finally:
        leave.set()
    await busy


async def waiting(store: Store, works: Sequence[Work]) -> list["asyncio.Task[None]"]:
    """Tasks that have asked for their works, in this order."""
    tasks = [asyncio.create_task(store.write(work)) for work in works]
    await asyncio.sleep(0)
    return tasks


def commits_in_log(path: Path) -> int:
    """Commits in the write-ahead log, counted in its bytes (https://www.sqlite.org/fileformat2.html#walformat)."""
    raw = path.with_name(path.name + "-wal").read_bytes()
    page_size, salt = struct.unpack(">8xI4x8s", raw[:24])
    frames = [raw[at : at + 24] for at in range(32, len(raw), 24 + page_size)]
    return sum(frame[4:8] != bytes(4) and frame[8:16] == salt for frame in frames)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the folder but locks and shared memory, which say nothing."""
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock" and "-shm" not in file.name
    }


async def child(*arguments: str | Path, before: Sequence[str] = ()) -> asyncio.subprocess.Process:
    """A process of its own that runs `tests.store.child`."""
    return await asyncio.create_subprocess_exec(
        *before,
        sys.executable,
        "-m",
        "tests.store.child",
        *map(str, arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    raw = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    return raw.decode().strip()
