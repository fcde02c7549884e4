"""Planned maintenance: when a broker has said that it will be away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from sidecar.config.model import PlannedWindow


@dataclass(frozen=True, slots=True)
class Planned:
    """The configured windows of one broker."""

    windows: Sequence[PlannedWindow] = ()

    def ends_at(self, now: float) -> float | None:
        """Unix seconds at which the window that is open at `now` ends; None when none is open."""
        ends = [end for window in self.windows if (end := _end(window, now)) > now]
        return max(ends, default=None)

    def next_start(self, now: float) -> float | None:
        """Unix seconds at which the next window begins; None when none is configured."""
        return min((_starts(window, now, back=False) for window in self.windows), default=None)


def _end(window: PlannedWindow, now: float) -> float:
    return _starts(window, now, back=True) + window.seconds


def _starts(window: PlannedWindow, now: float, *, back: bool) -> float:
    at = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(window.time_zone))
    if back:
        at += timedelta(microseconds=1)  # a window that starts this very moment has started
    return next(CronSim(window.starts, at, reverse=back)).timestamp()
