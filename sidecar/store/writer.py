"""The hands that write: many works, one transaction, one wait for the disk."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from sidecar.store.connection import Connection
from sidecar.store.errors import StoreError
from sidecar.store.failures import Failures
from sidecar.store.faults import full, is_disk_failure, on_open, on_write
from sidecar.store.files import Identity, connect_writer, ensure, inspect, keep_private, locate
from sidecar.store.job import Job
from sidecar.store.lock import acquire
from sidecar.store.log import Log
from sidecar.store.schema import migrate

_FORBIDDEN = frozenset({sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})

_log = structlog.get_logger("sidecar.store")


class Writer:
    """Commits a batch of jobs at once; each stands in a savepoint, so that one which fails takes back only its own.

    Where the whole transaction is lost, each job is tried once more by itself: one that is too large for the disk must
    not take small ones with it.
    """

    def __init__(self, path: Path, scripts: Sequence[str]) -> None:
        self.path = path
        """The real file, once it is open."""
        self.failures = Failures()
        self.written = 0
        self.batches = 0
        self.commit_seconds: float | None = None
        self._scripts = scripts
        self._connection: Connection
        self._identity: Identity
        self._wal: Log
        self._lock: int
        self._at_work = False
        self._suspect = False

    def open(self) -> None:
        """Lock, create or check, and bring up to date. Any StoreError; nothing stays open then."""
        self.path = locate(self.path)
        self._lock = acquire(self.path)
        try:
            ensure(self.path)
            inspect(self.path, self._scripts)
            keep_private(self.path)
            self._connect()
        except BaseException as failure:
            os.close(self._lock)
            if isinstance(failure, (OSError, sqlite3.Error)):
                raise on_open(failure, self.path) from failure
            raise

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Do the jobs; those without an error are on the disk when this returns."""
        lost = self._begin()
        if lost is None:
            lost = self._transact(jobs)
            # A failing disk may take its time to fail, and would for every job.
            if lost is not None and len(jobs) > 1 and not is_disk_failure(lost):
                for job in jobs:
                    self.run((job,))
                return
        if lost is None:
            self.written += sum(job.error is None for job in jobs)
        else:
            for job in jobs:
                job.error = on_write(lost, self.path)
        self.failures.note(jobs, self.path)

    def close(self) -> None:
        """Bring the log into the file, so that it is whole by itself, and let another process run on it."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as failure:
            # Nothing is lost: the next start finds the commits in the log.
            _log.warning("State file closed with its log beside it", path=str(self.path), kind=type(failure).__name__)
        finally:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._wal.close()
            os.close(self._lock)

    def _connect(self) -> None:
        self._connection = connect_writer(self.path)
        try:
            migrate(self._connection, self._scripts, self.path)
            self._identity = Identity(self.path)
            self._wal = Log(self.path, int(self._connection.execute("PRAGMA page_size").fetchone()[0]))
            self._connection.set_authorizer(self._authorize)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self) -> BaseException | None:
        """Start a transaction; returns what is in the way of one."""
        try:
            self._identity.check()
            if self._suspect:
                self._cut()
            self._connection.execute("BEGIN IMMEDIATE")
        except OSError as failure:
            return full(self.path, str(failure.strerror))
        except (sqlite3.Error, StoreError) as failure:
            return failure
        return None

    def _transact(self, jobs: Sequence[Job[Any]]) -> BaseException | None:
        """Do the jobs and commit; returns what lost all of them."""
        try:
            for job in jobs:
                # One by itself needs no savepoint: the transaction is all its own.
                self._guarded(job) if len(jobs) > 1 else self._work(job)
            # The disk's own time, which no virtual clock knows.
            started = time.perf_counter()
            self._connection.commit()
        except BaseException as failure:  # noqa: BLE001 - it becomes the jobs' error
            with suppress(sqlite3.Error):
                self._connection.rollback()
            if is_disk_failure(failure):
                self._suspect = True
                with suppress(OSError):
                    self._cut()
            return failure
        self.commit_seconds = time.perf_counter() - started
        self.batches += 1
        return None

    def _guarded(self, job: Job[Any]) -> None:
        self._connection.execute("SAVEPOINT work")
        try:
            self._work(job)
        except BaseException as failure:
            # SQLite has already rolled everything back after some failures, such as a full disk.
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO work")
            job.error = on_write(failure, self.path)
        self._connection.execute("RELEASE work")

    def _work(self, job: Job[Any]) -> None:
        self._at_work = True
        try:
            job.run(self._connection)
        finally:
            self._at_work = False
            self._connection.close_cursors()
        if not self._connection.in_transaction:
            raise sqlite3.OperationalError("the work went on after a failure that had taken back its transaction")

    def _cut(self) -> None:
        """Take out of the log what was just reported as not written; nothing else is written before that."""
        self._wal.cut()
        self._suspect = False

    def _authorize(self, action: int, *_: str | None) -> int:
        """Keep a work from ending the transaction that it shares with others."""
        return sqlite3.SQLITE_DENY if self._at_work and action in _FORBIDDEN else sqlite3.SQLITE_OK
