"""Single key presses, where there is a keyboard."""

import os
import select
import sys
import termios
import time
import tty
from typing import Any, Self


class Keys:
    """Takes key presses from the terminal without waiting for Enter, and gives the terminal back as it was."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        self._file = -1

    def __enter__(self) -> Self:
        if sys.stdin.isatty():
            self._file = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> str:
        """The key that is pressed within so many seconds; empty when none is."""
        if self._before is None:
            time.sleep(seconds)
            return ""
        readable, _, _ = select.select([self._file], [], [], seconds)
        if not readable:
            return ""
        # An empty read is a terminal that has gone: nobody watches any more.
        return os.read(self._file, 1).decode(errors="replace") or "q"
