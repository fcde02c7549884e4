"""A condition that goes on is told once, then summed up now and then, and told once more when it is over.

Pure bookkeeping: it knows no log and no clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Tell(StrEnum):
    """What is to be said about a condition."""

    BEGIN = "begin"
    GOES_ON = "goes_on"
    """It went on, or came back again and again, since something was last said."""
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing worth a line."""

    tell: Tell
    count: int
    """How often it happened: since it began when it is over, since the last line when it goes on."""
    seconds: float
    """The time in which it happened so often."""


@dataclass(slots=True)
class Condition:
    """One condition, over all the times that it came and went.

    A condition that comes back within `repeat_seconds` of its last line is not told anew: whatever flaps is summed up.
    """

    repeat_seconds: float
    active: bool = False
    _began: float = 0.0
    _count: int = 0
    _announced: bool = False
    _untold: int = 0
    _told: float = float("-inf")

    def happened(self, now: float) -> Note | None:
        """It happened once more at `now`."""
        if not self.active:
            self.active, self._began, self._count, self._announced = True, now, 0, False
        self._count += 1
        self._untold += 1
        if now - self._told < self.repeat_seconds:
            return None
        if self._untold > 1 or self._announced:
            return self._sum_up(now)
        self._announced, self._untold, self._told = True, 0, now
        return Note(Tell.BEGIN, 1, 0.0)

    def over(self, now: float) -> Note | None:
        """It does not hold any more."""
        if not self.active:
            return self._sum_up(now) if self._untold and now - self._told >= self.repeat_seconds else None
        self.active = False
        if not self._announced:
            return None
        self._told, self._untold = now, 0
        return Note(Tell.OVER, self._count, now - self._began)

    def rest(self, now: float) -> Note | None:
        """What has not been told yet, at the end."""
        return self._sum_up(now) if self._untold else None

    def _sum_up(self, now: float) -> Note:
        note = Note(Tell.GOES_ON, self._untold, now - self._told)
        self._announced, self._untold, self._told = self.active, 0, now
        return note


def spoken(seconds: float) -> str:
    """A duration as people say it: `0.4s`, `42s`, `10m12s`, `2h05m`."""
    if seconds < 10:  # noqa: PLR2004 - below that, tenths matter
        return f"{seconds:.1f}s"
    return "".join(_units(round(seconds)))


def _units(seconds: int) -> Iterator[str]:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        yield f"{hours}h{minute:02d}m"
    elif minutes:
        yield f"{minute}m{second:02d}s"
    else:
        yield f"{second}s"
