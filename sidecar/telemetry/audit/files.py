"""The directory: which files there are, how they are read, and how one is replaced in a single step.

audit-2026-11-22.jsonl      the lines of one UTC day
audit-2026-11-21.jsonl.gz   a finished day
audit.head                  number and hash of the newest line known to be on disk
audit.lock                  held by the one process that writes
"""

import fcntl
import gzip
import json
import os
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sidecar.telemetry.audit.chain import Link
from sidecar.telemetry.audit.errors import AuditLockedError

MODE = 0o640
HEAD = "audit.head"
LOCK = "audit.lock"
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a damaged compressed file raises."""
_NAME = re.compile(r"^audit-(\d{4}-\d{2}-\d{2})\.jsonl(\.gz)?$")


@dataclass(frozen=True, slots=True)
class DayFile:
    """The lines of one UTC day."""

    day: date
    path: Path

    @property
    def compressed(self) -> bool:
        """Whether the day is finished and compressed."""
        return self.path.suffix == ".gz"

    def lines(self) -> Iterator[bytes]:
        """The raw lines, read as a stream; none when retention has removed the file meanwhile.

        Raises one of `DAMAGE` when a compressed file is damaged.
        """
        for path in (self.path, plain_path(self.path.parent, self.day), zipped_path(self.path.parent, self.day)):
            with suppress(FileNotFoundError):
                # The writer may compress the day between our listing and our opening, hence the other names.
                with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
                    yield from stream
                return


def day_of(at: float) -> date:
    """The UTC day of a Unix time."""
    return datetime.fromtimestamp(at, UTC).date()


def plain_path(directory: Path, day: date) -> Path:
    """Where the lines of a day are written."""
    return directory / f"audit-{day.isoformat()}.jsonl"


def zipped_path(directory: Path, day: date) -> Path:
    """Where the lines of a finished day are kept."""
    return directory / f"audit-{day.isoformat()}.jsonl.gz"


def day_files(directory: Path) -> list[DayFile]:
    """One file a day, oldest first. Where a crash left both forms of a day, the plain one counts."""
    found: dict[date, DayFile] = {}
    for path in sorted(directory.iterdir(), reverse=True):
        match = _NAME.match(path.name)
        if match:
            with suppress(ValueError):
                day = date.fromisoformat(match[1])
                found[day] = DayFile(day, path)
    return [found[day] for day in sorted(found)]


def sync_directory(directory: Path) -> None:
    """Make names that were created, renamed or removed survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_head(directory: Path, link: Link) -> None:
    """Replace the head in one step, so that a reader sees the old one or the new one."""
    temporary = directory / (HEAD + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
    try:
        os.write(descriptor, json.dumps({"seq": link.seq, "hash": link.hash}).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(directory / HEAD)


def read_head(directory: Path) -> Link | None:
    """The head; None when there is none or it cannot be read."""
    try:
        head = json.loads((directory / HEAD).read_bytes())
        return Link(int(head["seq"]), str(head["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def lock(directory: Path) -> int:
    """Become the one writer; returns the descriptor that holds the lock until it is closed."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        _take(descriptor)
    except BlockingIOError as failure:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise AuditLockedError(
            f"{directory}: another sidecar (process {holder}) writes the audit log there; "
            "stop it, or give this one its own audit.directory"
        ) from failure
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _take(descriptor: int, tries: int = 5) -> None:
    for left in reversed(range(tries)):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            # `is_locked` of a reader holds it for a blink.
            time.sleep(0.01)
    return None


def is_locked(directory: Path) -> bool:
    """Whether a writer is at work right now."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class AppendFile:
    """A file that only grows, and whose failed writes leave nothing behind."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = False
        sync_directory(path.parent)

    def write(self, data: bytes) -> None:
        """Append all of it, or raise OSError with nothing appended."""
        if self._torn:
            self._cut()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            self._torn = True
            with suppress(OSError):
                self._cut()
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Put what was written on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._size)
        self._torn = False
