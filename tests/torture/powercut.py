"""What a power cut leaves of the state file: only what the sidecar has had confirmed by `fsync`.

A sidecar that is killed leaves its writes with the kernel, where a missing `fsync` does no harm. So every `fsync` of
the sidecar is stopped here before it happens, by a seccomp filter with a listener (seccomp_unotify(2)), and the file is
copied as it is at that moment. A power cut then puts the copies into the place of the files.
"""

import ctypes
import fcntl
import os
import platform
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.store.nosync import SYNCS

NAMES = ("state.db", "state.db-wal")
_NEW = "state.db.new"
FOLDER = "TORTURE_COPIES"
"""The environment variable with the folder of the copies; without it nothing is copied."""
_NO_NEW_PRIVILEGES, _SET_MODE_FILTER, _NEW_LISTENER, _DIE_WITH_PARENT = 38, 1, 8, 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine(), -1)
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NOTICE_BYTES = 80


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def run_watched(main: Callable[[], int]) -> int:
    """Run `main` in this process, with a child beside it that copies what is confirmed, where that is asked for."""
    folder = os.environ.pop(FOLDER, "")
    if not folder:
        return main()
    ours, its = socket.socketpair()
    watched = os.getpid()
    if os.fork() == 0:
        ours.close()
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        _watch(its, watched, Path(folder))
        os._exit(0)
    its.close()
    listener = _listen()
    socket.send_fds(ours, [b"!"], [listener])
    os.close(listener)
    ours.close()
    return main()


def cut_power(state: Path, copies: Path) -> None:
    """Leave of the state file what was confirmed; only while nobody runs on it."""
    for name in (*NAMES, "state.db-shm"):
        (state.parent / name).unlink(missing_ok=True)
    for name in NAMES:
        if (copies / name).exists():
            shutil.copyfile(copies / name, state.parent / name)
            (state.parent / name).chmod(0o600)


@cache
def possible() -> bool:
    """Whether this machine lets a process watch another's `fsync`."""
    tried = [sys.executable, "-m", "tests.torture.powercut"]
    root = Path(__file__).parents[2]
    return subprocess.run(tried, cwd=root, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own


def _listen() -> int:
    if SYNCS is None or _SECCOMP < 0:
        raise OSError("the numbers of this machine's calls are not known")
    instructions = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (_LOAD_NUMBER, 0, 0, 0),
            (_JUMP_IF_EQUAL, 1, 0, SYNCS[0]),
            (_JUMP_IF_EQUAL, 0, 1, SYNCS[1]),
            (_RETURN, 0, 0, _NOTIFY),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    program = _Program(len(instructions) // 8, instructions)
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener: int = library.syscall(_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return listener


def _watch(its: socket.socket, watched: int, copies: Path) -> None:
    listener = socket.recv_fds(its, 1, 1)[1][0]
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while any(event & select.POLLIN for _, event in poll.poll()):
        notice = bytearray(_NOTICE_BYTES)
        fcntl.ioctl(listener, _RECEIVE, notice)
        (id_,) = struct.unpack_from("=Q", notice)
        (descriptor,) = struct.unpack_from("=Q", notice, 32)
        _confirmed(Path(f"/proc/{watched}/fd/{descriptor}").readlink(), copies)
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack("=QqiI", id_, 0, 0, _CONTINUE)))


def _confirmed(path: Path, copies: Path) -> None:
    if path.is_dir():
        # A name is as lasting as its folder: that of the new state file, which is written under another one first.
        if (path / NAMES[0]).exists() and (copies / _NEW).exists():
            (copies / _NEW).rename(copies / NAMES[0])
    elif path.name in {*NAMES, _NEW}:
        # In the place of the last copy at once: this process is killed together with the sidecar.
        shutil.copyfile(path, copies / "next")
        (copies / "next").rename(copies / path.name)


if __name__ == "__main__":
    _listen()
