"""The state file as the sidecar uses it: works in, durable or read when they return, off the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sidecar.store.errors import StoreClosedError, StoreLockedError
from sidecar.store.files import file_bytes
from sidecar.store.job import Job
from sidecar.store.reader import Reader
from sidecar.store.schema import FOLDER, load
from sidecar.store.worker import Hands, Worker
from sidecar.store.writer import Writer

T = TypeVar("T")

BATCH = 256
"""Works in one transaction at most: enough to share one wait for the disk, few enough to wait little for the others."""


@dataclass(frozen=True, slots=True)
class StoreReadings:
    """The store now."""

    writes: int
    """Works committed since the start."""
    batches: int
    """Transactions that they took."""
    last_commit_seconds: float | None
    """How long the disk took for the newest one; None before the first."""
    failures: int
    """Writes that the file or the disk did not take, or that failed while nobody waited for them."""
    queued: int
    """Writes that wait."""
    file_bytes: int
    """What the state takes on the disk."""


class Store:
    """The one SQLite file that survives a restart. Use it on one event loop.

    A work gets a connection inside a transaction: it runs statements, and neither commits nor rolls back. It runs on
    another thread, and once more when the transaction that it shared with others is lost, so it must touch nothing but
    the connection. It returns rows, not a cursor. Its own exception takes back what it wrote and reaches its caller.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str] | None = None) -> None:
        """`migrations` are the scripts that lead to the newest form, in order; by default the sidecar's own."""
        self._path = path
        self._migrations = migrations
        self._writer: Writer | None = None
        self._writes: Worker | None = None
        self._reads: Worker | None = None

    async def open(self) -> None:
        """Lock, create or check the file, and bring it to the newest form. Once in a store's life.

        Raises StoreLockedError, StoreCorruptError, StoreNewerError, StoreMigrationError, StoreFullError,
        StoreBusyError or StoreUnusableError; the file is then as it was, and closed.
        """
        if self._writer is not None:
            raise StoreLockedError(f"{self._path}: this store was opened before; make a new one")
        scripts = load(FOLDER) if self._migrations is None else tuple(self._migrations)
        writer = Writer(self._path, scripts)
        writes = self._worker("store-writer", writer, BATCH)
        await writes.start()
        reads = self._worker("store-reader", Reader(writer.path), 1)
        try:
            await reads.start()
        except BaseException:
            await writes.stop()
            raise
        self._writer, self._writes, self._reads = writer, writes, reads

    async def close(self) -> None:
        """Finish what waits, bring everything into the one file, and free the lock. Harmless when not open."""
        for worker in (self._reads, self._writes):
            if worker is not None:
                await worker.stop()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` and return its result when it is on the disk; it shares the wait with all that came meanwhile.

        Cancelling the caller does not take the work back. Raises what the work raises; StoreFullError and the other
        StoreErrors when nothing of it was written.
        """
        return await self._ask(self._writes, work)

    def write_nowait(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do `work` in the next batch without waiting for it; a failure is counted and logged. On the event loop only.

        Raises StoreClosedError.
        """
        self._ready(self._writes).submit(Job(work, None))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` reads from one snapshot of everything committed; never waits for a write.

        Raises what the work raises; StoreCorruptError, StoreUnusableError or StoreClosedError.
        """
        return await self._ask(self._reads, work)

    def readings(self) -> StoreReadings:
        """The state now; cheap enough for every scrape."""
        writer, writes = self._writer, self._writes
        return StoreReadings(
            writes=writer.written if writer else 0,
            batches=writer.batches if writer else 0,
            last_commit_seconds=writer.commit_seconds if writer else None,
            failures=writer.failures.count if writer else 0,
            queued=writes.waiting if writes else 0,
            file_bytes=file_bytes(writer.path if writer else self._path),
        )

    def _worker(self, name: str, hands: Hands, most: int) -> Worker:
        return Worker(name, hands, most=most)

    async def _ask(self, worker: Worker | None, work: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._ready(worker).submit(Job(work, future))
        return await future

    def _ready(self, worker: Worker | None) -> Worker:
        if worker is None:
            raise StoreClosedError(f"{self._path}: the state file is not open; open the store first")
        return worker
