"""Failed writes: each counted, and the log told of a condition once."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from sidecar.store.errors import StoreError
from sidecar.store.job import Job

QUIET_SECONDS = 10.0
"""After this long without a failure the file counts as written again: on a full disk small writes still pass."""

_log = structlog.get_logger("sidecar.store")


class Failures:
    """Counts what the file or the disk is to blame for, and what failed while nobody waited for it."""

    def __init__(self) -> None:
        self.count = 0
        self._since = 0
        self._last: float | None = None
        self._told: set[str] = set()

    def note(self, jobs: Sequence[Job[Any]], path: Path) -> None:
        """Look through jobs that are done."""
        healthy = True
        for job in jobs:
            if isinstance(job.error, StoreError):
                self._blame_file(job.error, path)
                healthy = False
            elif job.error is not None and job.future is None:
                self._blame_work(job.error, path)
        if healthy:
            self._recovered(path)

    def _blame_file(self, error: StoreError, path: Path) -> None:
        if self._last is None:
            self._since = self.count
            _log.error("State file cannot be written", path=str(path), kind=type(error).__name__, error=str(error))
        self.count += 1
        # Real time: this is about lines in a log.
        self._last = time.monotonic()

    def _blame_work(self, error: BaseException, path: Path) -> None:
        self.count += 1
        kind = getattr(error, "sqlite_errorname", type(error).__name__)
        if kind not in self._told:
            self._told.add(kind)
            # Not the error's text, which may quote what was written.
            _log.error("A write that nobody waits for failed; told once for each kind", path=str(path), kind=kind)

    def _recovered(self, path: Path) -> None:
        if self._last is not None and time.monotonic() - self._last >= QUIET_SECONDS:
            self._last = None
            _log.warning("State file is written again", path=str(path), failures=self.count - self._since)
