"""Plain lines for pipes, files and simple terminals: one a happening, no escape codes."""

from typing import TextIO

from sidecar.demo.stage import Line, Stage, Tone


class PlainShow:
    """Writes each line as it is told."""

    def __init__(self, stage: Stage, out: TextIO) -> None:
        self._stage = stage
        self._out = out

    def open(self) -> None:
        """Nothing to prepare."""

    def line(self, line: Line) -> None:
        """Write one line."""
        gap = "\n" if line.tone is Tone.CHAPTER else ""
        mark = "=> " if line.tone is Tone.VERDICT else ""
        self._out.write(f"{gap}{line.at:6.1f} s  {line.who:<10}  {mark}{line.text}\n")
        self._out.flush()

    def refresh(self) -> None:
        """Only lines are shown."""

    def close(self) -> None:
        """Nothing to put away."""
