"""The chained, rotated files on the disk: everything but the thread that writes them."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import structlog

from sidecar.clock import Clock
from sidecar.telemetry.audit.chain import START, seal
from sidecar.telemetry.audit.clean import clean_fields
from sidecar.telemetry.audit.files import (
    AppendFile,
    day_files,
    day_of,
    lock,
    plain_path,
    sync_directory,
    write_head,
)
from sidecar.telemetry.audit.lines import FILE_REMOVED, RECOVERED, Line
from sidecar.telemetry.audit.recover import recover
from sidecar.telemetry.audit.tidy import compress, end_of

_log = structlog.get_logger("sidecar.audit")


class Journal:
    """Appends lines to the chain, turns the file at midnight UTC, compresses and removes old ones.

    For one thread at a time. Every method may raise OSError; lines are then either all written or not at all.
    """

    def __init__(self, directory: Path, *, bot: str, retention_days: int, clock: Clock) -> None:
        self.link = START
        """The newest line written."""
        self.whole = True
        """Whether the log was found without a gap when it was opened."""
        self._directory = directory
        self._bot = bot
        self._clock = clock
        self._keep = timedelta(days=retention_days)
        self._lock: int | None = None
        self._file: AppendFile | None = None
        self._day = date.min
        self._synced = START
        self._chores: Iterator[None] | None = None

    def open(self) -> None:
        """Become the writer and find the end of the chain. Raises AuditLockedError too."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = lock(self._directory)
        try:
            self._resume()
        except OSError:
            self._let_go()
            raise

    def append(self, day: date, lines: Iterable[Line]) -> None:
        """Write lines into the file of `day`, or into the newest one when the clock was set back."""
        self.turn_to(day)
        link, written = self.link, []
        for line in lines:
            raw, link = seal(line.at, line.event, {"bot": self._bot, **clean_fields(line.fields)}, link)
            written.append(raw)
        if self._file is None:
            self._file = AppendFile(plain_path(self._directory, self._day))
        self._file.write(b"".join(written))
        self.link = link

    def sync(self) -> None:
        """Put everything written on the disk, and only then say so in the head."""
        if self._file is not None and self._synced != self.link:
            self._file.sync()
            write_head(self._directory, self.link)
            self._synced = self.link

    def turn_to(self, day: date) -> None:
        """Finish the current file when a new day has come."""
        if day <= self._day:
            return
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None
            _log.info("Audit day finished", day=self._day.isoformat(), seq=self.link.seq, hash=self.link.hash)
        self._day = day
        self._chores = self._tidy()

    def tidy(self) -> bool:
        """Do one small piece of the work on old files; False when there is none left."""
        if self._chores is None:
            return False
        chores, self._chores = self._chores, None
        try:
            next(chores)
        except StopIteration:
            return False
        except OSError:
            self._chores = self._tidy()
            raise
        self._chores = chores
        return True

    def close(self) -> None:
        """Sync, and let another process write."""
        self._chores = None
        try:
            self.sync()
        finally:
            self._let_go()

    def _resume(self) -> None:
        recovery = recover(self._directory)
        self.link = self._synced = recovery.link
        self.whole = not recovery.problem
        self._day = self._first_day()
        if recovery.problem:
            _log.error("The audit log is not whole", directory=str(self._directory), problem=recovery.problem)
        if recovery.cut or recovery.problem:
            found = {"bytes_cut": recovery.cut} | ({"problem": recovery.problem} if recovery.problem else {})
            self.append(self._day, [Line(self._clock.now(), RECOVERED, found)])
            self.sync()
        write_head(self._directory, self.link)
        self._chores = self._tidy()
        _log.info("Audit log open", directory=str(self._directory), seq=self.link.seq, hash=self.link.hash)

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _first_day(self) -> date:
        """Today, or later where the newest file is from a time that the clock has not reached again."""
        files = day_files(self._directory)
        today = day_of(self._clock.now())
        if not files:
            return today
        newest = files[-1].day + timedelta(days=1) if files[-1].compressed else files[-1].day
        return max(today, newest)

    def _tidy(self) -> Iterator[None]:
        for file in day_files(self._directory):
            if file.day < self._day - self._keep:
                end = end_of(file, self.link)
                if end is None:
                    _log.error("Audit file kept beyond its time: its successor is damaged", file=file.path.name)
                    continue
                removed = {"file": file.path.name, "last_seq": end.seq, "last_hash": end.hash}
                # On disk before the file goes: whoever verifies must be able to tell retention from tampering.
                self.append(self._day, [Line(self._clock.now(), FILE_REMOVED, removed)])
                self.sync()
                with contextlib.suppress(FileNotFoundError):
                    file.path.unlink()
                sync_directory(self._directory)
                yield
            elif file.day < self._day and not file.compressed:
                yield from compress(file)
