"""What SQLite's result codes mean to a caller.

Source of the codes: https://www.sqlite.org/rescode.html
"""

import sqlite3
from pathlib import Path

from sidecar.store.errors import StoreBusyError, StoreCorruptError, StoreError, StoreFullError, StoreUnusableError

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


def is_disk_failure(failure: BaseException) -> bool:
    """Whether the disk failed, which is worse than being full: it may have kept what it said it had not."""
    return _primary(failure) == sqlite3.SQLITE_IOERR


def on_open(failure: Exception, path: Path) -> StoreError:
    """The error for a file that cannot be opened for writing."""
    told = on_write(failure, path)
    if isinstance(told, StoreError):
        return told
    return StoreUnusableError(
        f"{path}: the state file cannot be opened for writing ({_name(failure)}); "
        "check its rights, its folder's and the disk, or restore a copy"
    )


def on_write(failure: BaseException, path: Path) -> BaseException:
    """The error for a write's caller: the store's own where the file or the disk is to blame, else `failure`."""
    if _primary(failure) in _DISK:
        return _because(failure, full(path, _name(failure)))
    return _shared(failure, path)


def on_read(failure: BaseException, path: Path) -> BaseException:
    """The error for a reader's caller, in the same way."""
    if _primary(failure) in _DISK:
        return _because(
            failure,
            StoreUnusableError(
                f"{path}: the state file cannot be read ({_name(failure)}); check its rights, its folder's and the disk"
            ),
        )
    return _shared(failure, path)


def full(path: Path, reason: str) -> StoreFullError:
    """The error for a disk that is full or fails."""
    return StoreFullError(
        f"{path}: the disk does not take the write ({reason}); nothing was written; "
        "make room or mend the disk, later writes then work again"
    )


def corrupt(path: Path, problem: str) -> StoreCorruptError:
    """The error that says how to get out of a damaged file without losing what is in it."""
    return StoreCorruptError(
        f"{path}: the state file is damaged ({problem}); it was left as it is. Restore a copy, or move it away "
        f"together with {path.name}-wal and {path.name}-shm to start with an empty one: "
        "check first at the broker what became of its orders"
    )


def _shared(failure: BaseException, path: Path) -> BaseException:
    if _primary(failure) in _DAMAGE:
        return _because(failure, corrupt(path, _name(failure)))
    if _primary(failure) in _BUSY:
        return _because(
            failure,
            StoreBusyError(
                f"{path}: another program holds the state file's lock ({_name(failure)}); nothing was written; "
                "end that program's transaction and try again"
            ),
        )
    return failure


def _primary(failure: BaseException) -> int | None:
    code = getattr(failure, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _name(failure: BaseException) -> str:
    known = getattr(failure, "sqlite_errorname", None) or getattr(failure, "strerror", None)
    return str(known or type(failure).__name__)


def _because(cause: BaseException, error: Exception) -> Exception:
    error.__cause__ = cause
    return error
