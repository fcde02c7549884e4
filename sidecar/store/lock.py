"""One runner per state file."""

import errno
import fcntl
import os
from pathlib import Path

from sidecar.store.errors import StoreLockedError, StoreUnusableError

MODE = 0o600


def acquire(path: Path) -> int:
    """Become the one process that runs on the state file at `path`.

    Returns the descriptor that holds the lock. The system frees it however the process ends; the lock file itself
    stays, because removing it would let two processes lock two different files of that name.
    """
    name = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    except OSError as failure:
        reason = "it is a symbolic link" if failure.errno == errno.ELOOP else failure.strerror
        raise StoreUnusableError(
            f"{name}: the lock of the state file cannot be opened: {reason}; "
            "check the folder's rights and space, or change state.path"
        ) from failure
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(descriptor)
    except BlockingIOError as failure:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreLockedError(
            f"{path}: another sidecar (process {holder}) runs on this state file; "
            "stop it, or give this one its own state.path"
        ) from failure
    except OSError as failure:
        os.close(descriptor)
        raise StoreUnusableError(
            f"{name}: the state file cannot be locked: {failure.strerror}; "
            "put it on a local file system with free space, or change state.path"
        ) from failure
    return descriptor


def holder(path: Path) -> str | None:
    """The number of the process that runs on the state file at `path`; None when none does."""
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _sign(descriptor: int) -> None:
    # Padded, so that a full disk matters only the first time.
    os.pwrite(descriptor, f"{os.getpid():<15}\n".encode(), 0)
