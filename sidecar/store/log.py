"""The write-ahead log after a commit that the disk did not confirm.

SQLite forgets such a commit but leaves its frames in the log, where the next process would find them whole and take
them up: an order that was refused would come back. Formats: https://www.sqlite.org/walformat.html
"""

import os
import struct
from pathlib import Path

_HEADER = 32
_FRAME_HEADER = 24
_LAST_FRAME_AT = 16
"""Where the shared index keeps the number of the last committed frame, in the machine's own byte order."""


class Log:
    """The log of a file that is open for writing; one thread's own."""

    def __init__(self, path: Path, page_size: int) -> None:
        self._path = path.with_name(path.name + "-wal")
        self._frame = _FRAME_HEADER + page_size
        # Kept open: closing any descriptor of this file would drop the locks that SQLite holds on it.
        self._index = os.open(path.with_name(path.name + "-shm"), os.O_RDONLY | os.O_CLOEXEC)

    def cut(self) -> None:
        """Remove what lies behind the last commit. Between transactions only; raises OSError."""
        (last,) = struct.unpack("=I", os.pread(self._index, 4, _LAST_FRAME_AT))
        os.truncate(self._path, _HEADER + last * self._frame if last else 0)

    def close(self) -> None:
        """Let go; only after SQLite has."""
        os.close(self._index)
