"""A disk that does not confirm: the kernel answers this thread's `fsync` and `fdatasync` with an I/O error from now on.

By a seccomp filter (https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html): it needs no rights,
holds for the thread that asks for it and those it starts, and cannot be taken back.
"""

import ctypes
import errno
import os
import platform
import struct

SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}.get(platform.machine())
"""The numbers of the two calls; None on machines whose numbers are not listed."""

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_to_sync() -> None:
    """Install the filter for the calling thread."""
    assert SYNCS is not None
    instructions = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (_LOAD_NUMBER, 0, 0, 0),
            (_JUMP_IF_EQUAL, 1, 0, SYNCS[0]),
            (_JUMP_IF_EQUAL, 0, 1, SYNCS[1]),
            (_RETURN, 0, 0, _FAIL | errno.EIO),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    program = _Program(len(instructions) // 8, instructions)
    library = ctypes.CDLL(None, use_errno=True)
    for option, value, argument in ((_NO_NEW_PRIVILEGES, 1, None), (_SET_SECCOMP, _FILTER, ctypes.byref(program))):
        if library.prctl(option, ctypes.c_ulong(value), argument, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
