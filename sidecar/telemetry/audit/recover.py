"""Where a writer goes on after the last one ended, however it ended."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sidecar.telemetry.audit.chain import START, Link, unseal
from sidecar.telemetry.audit.files import DAMAGE, DayFile, day_files, read_head

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found, and where to go on."""

    link: Link
    """The next line follows this one."""
    cut: int
    """Bytes of a half-written last line that were cut off."""
    problem: str
    """What is wrong with the log as it was found; empty when it is whole."""


def recover(directory: Path) -> Recovery:
    """Cut a half-written last line, and find the end of the chain.

    Where the head knows of lines that are not there, the chain goes on from the head: so the gap stays in it for good,
    and `verify` finds it.
    """
    files = day_files(directory)
    cut = _cut_torn_line(files[-1]) if files and not files[-1].compressed else 0
    raw = _newest(files)
    head = read_head(directory)
    if not raw:
        missing = head is not None and head.seq > 0
        return Recovery(head or START, cut, "every line that audit.head knows of is missing" if missing else "")
    sealed = unseal(raw)
    if sealed is None:
        link = head if head is not None else _last_sound(files)
        return Recovery(link, cut, "the last line was altered")
    if head is None:
        return Recovery(sealed.link, cut, "audit.head is missing or cannot be read")
    if head.seq > sealed.link.seq:
        return Recovery(head, cut, f"{head.seq - sealed.link.seq} lines are missing at the end")
    if head.seq == sealed.link.seq and head.hash != sealed.link.hash:
        return Recovery(head, cut, "the last line is not the one that audit.head knows of")
    return Recovery(sealed.link, cut, "")


def _cut_torn_line(file: DayFile) -> int:
    with file.path.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        end = _line_start(stream.fileno(), size)
        if end < size:
            stream.truncate(end)
            os.fsync(stream.fileno())
        return size - end


def _newest(files: list[DayFile]) -> bytes:
    for file in reversed(files):
        raw = _last_of_compressed(file) if file.compressed else _last_of_plain(file.path)
        if raw:
            return raw
    return b""


def _last_of_plain(path: Path) -> bytes:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = _line_start(stream.fileno(), max(0, size - 1))
        stream.seek(start)
        return stream.read(size - start)


def _last_of_compressed(file: DayFile) -> bytes:
    last = b""
    with suppress(*DAMAGE):
        for raw in file.lines():
            last = raw
    return last


def _line_start(descriptor: int, end: int) -> int:
    """The offset just after the last newline before `end`, or 0."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _last_sound(files: list[DayFile]) -> Link:
    last = START
    for file in files:
        with suppress(*DAMAGE):
            for raw in file.lines():
                sealed = unseal(raw)
                last = sealed.link if sealed else last
    return last
