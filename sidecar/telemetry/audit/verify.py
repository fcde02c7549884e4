"""Is the log whole? Reads every line once, as a stream, compressed days too."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sidecar.telemetry.audit.chain import GENESIS, Link, Sealed, unseal
from sidecar.telemetry.audit.files import DAMAGE, HEAD, DayFile, day_files, is_locked, read_head
from sidecar.telemetry.audit.lines import FILE_REMOVED


class Fault(StrEnum):
    """What can be wrong with a log."""

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    TORN = "torn"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that is wrong."""

    fault: Fault
    file: str
    line: int
    """From 1, in the file."""
    message: str
    """A sentence: what does not fit, and what that means."""


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found. `files` and `lines` count what was read up to the first problem."""

    files: int
    lines: int
    newest: Link | None
    """The last line that fits; None when there is none."""
    problem: Problem | None

    @property
    def ok(self) -> bool:
        """Whether the log is whole."""
        return self.problem is None


def verify(directory: Path) -> Report:
    """Check every line of the log against its neighbours and against the head.

    Works beside a running sidecar: what it is writing at this moment is left out. Raises OSError when the directory
    cannot be read.
    """
    return _Walk(directory).report()


@dataclass(frozen=True, slots=True)
class _Place:
    file: DayFile
    number: int
    raw: bytes


class _Walk:
    def __init__(self, directory: Path) -> None:
        # The head first: what is written while we read may lie behind it, never before it.
        self._head = read_head(directory)
        self._directory = directory
        self._files = day_files(directory)
        self._read: set[str] = set()
        self._lines = 0
        self._first: tuple[_Place, Sealed] | None = None
        self._newest: Link | None = None
        self._place: _Place | None = None
        self._removals: set[Link] = set()

    def report(self) -> Report:
        places = self._places()
        try:
            problem = next((found for place in places if (found := self._check(place, places))), None) or self._ends()
        except DAMAGE:
            file = self._files[len(self._read) - 1].path.name
            number = self._place.number + 1 if self._place and self._place.file.path.name == file else 1
            problem = Problem(Fault.ALTERED, file, number, "the compressed file is damaged from here on")
        return Report(len(self._read), self._lines, self._newest, problem)

    def _places(self) -> Iterator[_Place]:
        for file in self._files:
            self._read.add(file.path.name)
            for number, raw in enumerate(file.lines(), 1):
                yield _Place(file, number, raw)

    def _check(self, place: _Place, rest: Iterator[_Place]) -> Problem | None:
        if not place.raw.endswith(b"\n"):
            return self._unfinished(place)
        sealed = unseal(place.raw)
        if sealed is None:
            return _problem(Fault.ALTERED, place, "the line does not match its own hash")
        problem = self._follows(place, sealed, rest)
        if problem is None:
            self._accept(place, sealed)
        return problem

    def _accept(self, place: _Place, sealed: Sealed) -> None:
        self._first = self._first or (place, sealed)
        self._newest, self._place = sealed.link, place
        self._lines += 1
        if sealed.fields.get("event") == FILE_REMOVED:
            self._removals.add(Link(sealed.fields.get("last_seq", 0), sealed.fields.get("last_hash", "")))

    def _unfinished(self, place: _Place) -> Problem | None:
        if place.file is not self._files[-1]:
            return _problem(Fault.TORN, place, "the line has no end, and later files follow")
        if is_locked(self._directory):
            return None
        return _problem(
            Fault.TORN, place, "the line has no end: a crash cut it; the next start of the sidecar mends it"
        )

    def _follows(self, place: _Place, sealed: Sealed, rest: Iterator[_Place]) -> Problem | None:
        newest, seq = self._newest, sealed.link.seq
        if newest is not None:
            if seq <= newest.seq:
                return _problem(Fault.REORDERED, place, f"line {seq} comes after line {newest.seq}")
            if seq > newest.seq + 1:
                return self._gap(place, newest.seq + 1, seq - 1, rest)
            if sealed.prev != newest.hash:
                return _problem(Fault.ALTERED, place, f"line {seq} follows another line {newest.seq} than this one")
        elif seq == 1 and sealed.prev != GENESIS:
            return _problem(Fault.ALTERED, place, "the first line does not begin a chain")
        if self._head and self._head.seq == seq and self._head.hash != sealed.link.hash:
            return _problem(Fault.ALTERED, place, f"line {seq} is not the one that {HEAD} knows of")
        return None

    def _gap(self, place: _Place, first: int, last: int, rest: Iterator[_Place]) -> Problem:
        missing = f"line {first} is" if first == last else f"lines {first} to {last} are"
        later = (sealed for other in rest if (sealed := unseal(other.raw)))
        if any(sealed.link.seq == first for sealed in later):
            return _problem(Fault.REORDERED, place, f"{missing} not where they belong, but further down")
        return _problem(Fault.REMOVED, place, f"{missing} missing before this one")

    def _ends(self) -> Problem | None:
        """What only the whole log shows: whether its beginning and its end are the true ones."""
        return self._beginning() or self._end()

    def _beginning(self) -> Problem | None:
        if self._first is None:
            return None
        place, sealed = self._first
        before = Link(sealed.link.seq - 1, sealed.prev)
        if before.seq == 0 or before in self._removals:
            return None
        return _problem(
            Fault.REMOVED, place, f"lines 1 to {before.seq} are missing, and no {FILE_REMOVED} line accounts for them"
        )

    def _end(self) -> Problem | None:
        name, number = (self._place.file.path.name, self._place.number) if self._place else (HEAD, 1)
        newest = self._newest.seq if self._newest else 0
        if self._head is None:
            if newest == 0:
                return None
            message = f"{HEAD} is missing or unreadable: whether lines are missing after line {newest} cannot be told"
            return Problem(Fault.TRUNCATED, name, number, message)
        if self._head.seq > newest:
            message = f"the log ends here, but {HEAD} knows of line {self._head.seq}"
            return Problem(Fault.TRUNCATED, name, number, message)
        return None


def _problem(fault: Fault, place: _Place, message: str) -> Problem:
    return Problem(fault, place.file.path.name, place.number, message)
