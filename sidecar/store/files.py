"""The state file on the disk: how it is found, made, checked and opened.

Nothing here opens the file but SQLite: closing any other descriptor of it would drop SQLite's own locks.
"""

import os
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import structlog

from sidecar.store.connection import Connection
from sidecar.store.errors import StoreError, StoreGoneError, StoreNewerError, StoreUnusableError
from sidecar.store.faults import corrupt, on_read
from sidecar.store.lock import MODE
from sidecar.store.schema import shape, shape_after

APPLICATION_ID = 0x53436172
"""Marks a file as ours (`SCar`), so that another program's database is never taken for it."""
BUSY_SECONDS = 1.0
"""How long a lock that another program holds on the file is waited for."""
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

_log = structlog.get_logger("sidecar.store")


def wal_of(path: Path) -> Path:
    """Where SQLite keeps the newest commits."""
    return path.with_name(path.name + "-wal")


def locate(path: Path) -> Path:
    """The real file behind `path`. Its lock and its log lie beside it, so that two links to one file meet there."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnusableError(
            f"{path}: SQLite {sqlite3.sqlite_version} is too old for the state file; "
            f"run with a Python whose SQLite is at least {'.'.join(map(str, OLDEST_SQLITE))}"
        )
    try:
        real = path.resolve()
        if not real.parent.is_dir():
            raise StoreUnusableError(
                f"{path}: the folder {real.parent} of the state file does not exist; create it, or change state.path"
            )
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(real.stat().st_mode):
                raise StoreUnusableError(f"{path}: the state file is no regular file; change state.path")
    except (OSError, RuntimeError) as failure:  # RuntimeError: a circle of links, before Python 3.13
        raise StoreUnusableError(f"{path}: the state file cannot be reached: {failure}; change state.path") from failure
    return real


def ensure(path: Path) -> None:
    """Create the file where there is none: whole or not at all, so that an empty file is always a damaged one."""
    if missing(path):
        _create(path)


def missing(path: Path) -> bool:
    """Whether there is no state yet; raises StoreCorruptError where there is less of it than there was."""
    size = _size(path)
    if size is None and not _size(wal_of(path)):
        return True
    if not size:
        what = "is missing, while its newest commits are still there" if size is None else "is empty, as it never is"
        raise corrupt(path, f"it {what}")
    return False


def inspect(path: Path, scripts: Sequence[str]) -> None:
    """Refuse a file that is damaged, another program's, or written by a newer sidecar; changes nothing in it.

    `scripts` are the migrations that this sidecar knows.
    """
    # Without a log beside it the file is all there is: nothing needs to be created to read it.
    query = "?mode=ro" if _size(wal_of(path)) else "?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(path.as_uri() + query, uri=True, timeout=BUSY_SECONDS)) as connection:
            problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            application, version = (_pragma(connection, name) for name in ("application_id", "user_version"))
            found = shape(connection)
    except (sqlite3.Error, UnicodeDecodeError) as failure:
        raise _refusal(failure, path) from failure
    if problems != ["ok"]:
        raise corrupt(path, "; ".join(problems).replace("\n", " "))
    if application != APPLICATION_ID:
        raise StoreUnusableError(f"{path}: the database belongs to another program; change state.path")
    if version > len(scripts):
        raise StoreNewerError(
            f"{path}: a newer sidecar has written the state file (version {version}, this one knows {len(scripts)}); "
            "run that one, or give this one its own state.path"
        )
    if not shape_after(scripts[:version]) <= found:
        raise corrupt(path, f"its tables are not those of version {version}")


def connect_writer(path: Path) -> Connection:
    """The one connection that writes; it is also the only one that checkpoints. A commit returns when it is on disk."""
    connection = _connect(path, "rw")
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> Connection:
    """A connection that sees the commits and can change nothing."""
    return _connect(path, "ro")


def keep_private(path: Path) -> None:
    """Take the file back from everybody but its owner."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~MODE:
        path.chmod(MODE)
        _log.warning("State file was open to others: made private", path=str(path), was=f"{mode:04o}")


class Identity:
    """Which files are in use, so that their removal or replacement is noticed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = {file: _inode(file) for file in (path, wal_of(path))}

    def check(self) -> None:
        """Raise StoreGoneError when a restart would no longer find these files."""
        for file, inode in self._files.items():
            if _inode(file) != inode:
                raise StoreGoneError(
                    f"{file}: the file was removed or replaced while in use; nothing was written; "
                    "restart the sidecar, and check at the broker what became of the orders in it"
                )


def file_bytes(path: Path) -> int:
    """What the state takes on the disk, in bytes."""
    return (_size(path) or 0) + (_size(wal_of(path)) or 0)


def _create(path: Path) -> None:
    new = path.with_name(path.name + ".new")
    try:
        for leftover in (new, wal_of(new), new.with_name(new.name + "-shm"), new.with_name(new.name + "-journal")):
            leftover.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        with closing(_connect(new, "rw")) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode=WAL")
        new.rename(path)
        _sync_folder(path.parent)
    except (OSError, sqlite3.Error) as failure:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise StoreUnusableError(
            f"{path}: the state file cannot be created: {failure}; "
            "check the folder's rights and space, or change state.path"
        ) from failure


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: Path, mode: str) -> Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None, factory=Connection
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnusableError(
            f"{path}: the file system cannot share memory between connections (journal mode {mode}); "
            "put the state file on a local disk"
        )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Savepoints must not need a writable /tmp.
    connection.execute("PRAGMA temp_store=MEMORY")
    # SQLite opens a file that it may not write for reading, and says so only at the first write.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA user_version=0")
    connection.rollback()


def _refusal(failure: Exception, path: Path) -> StoreError:
    told = on_read(failure, path)
    # Damage can show as almost any error of SQLite's own: a schema that cannot be parsed, text that is none.
    return told if isinstance(told, StoreError) else corrupt(path, type(failure).__name__)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
