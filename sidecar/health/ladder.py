"""Up at once, down step by step: the rule that keeps a level from swinging.

Signals demand levels. The level is never below what is demanded now; it falls by one step when nothing has demanded
it, or a higher one, for `recovery_seconds`, and the next step takes as long again. So whatever comes and goes, the
level cannot fall twice, nor come back to where it fell from and fall again, within that time. Pure: time is handed in.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.words import DegradationCause, DegradationLevel

_LEVELS = tuple(DegradationLevel)


@dataclass(frozen=True, slots=True)
class Signal:
    """What demands a level, and until when (monotonic seconds; infinite: until it is withdrawn)."""

    level: DegradationLevel
    cause: DegradationCause
    until: float
    note: str = ""


class Ladder:
    """The level that signals add up to. All times are monotonic seconds, and never step back."""

    def __init__(self, recovery_seconds: float, *, auto_recovery: bool) -> None:
        self._recovery = recovery_seconds
        self._auto_recovery = auto_recovery
        self._signals: dict[str, Signal] = {}
        self._calm_from = 0.0
        self.level = DegradationLevel.NONE
        self.why: Signal | None = None
        """What demands the level, or demanded it last; None at `NONE`."""

    def adopt(self, recovery_seconds: float, *, auto_recovery: bool) -> None:
        """Go by other settings; the next step down is due by them."""
        self._recovery, self._auto_recovery = recovery_seconds, auto_recovery

    @property
    def signals(self) -> Mapping[str, Signal]:
        """What demands a level now, by name; some of it may be over by itself."""
        return dict(self._signals)

    @property
    def falls_at(self) -> float:
        """When the next step down is due if nothing happens; infinite when none is."""
        if self.level is DegradationLevel.NONE or not self._auto_recovery:
            return math.inf
        ends = (signal.until for signal in self._signals.values() if signal.level.rank >= self.level.rank)
        return max(self._calm_from, *ends, 0.0) + self._recovery

    def has(self, name: str) -> bool:
        """Whether such a signal was given and not withdrawn; it may be over by itself."""
        return name in self._signals

    def give(self, name: str, signal: Signal, now: float) -> None:
        """Demand a level, in place of what the same name demanded before."""
        self.withdraw(name, now)
        if signal.level is DegradationLevel.NONE:
            return
        self._signals[name] = signal
        if signal.level.rank > self.level.rank:
            self.level, self.why = signal.level, signal
            self._calm_from = now
        elif signal.level is self.level:
            self.why = signal

    def withdraw(self, name: str, now: float) -> None:
        """Demand nothing any more; nothing happens when nothing was demanded."""
        self.settle(now)
        gone = self._signals.pop(name, None)
        if gone is not None and gone.level.rank >= self.level.rank and gone.until > now:
            self._calm_from = now

    def settle(self, now: float) -> None:
        """Take the steps down that are due."""
        while (at := self.falls_at) <= now:
            self._calm_from = at
            self.level = _LEVELS[self.level.rank - 1]
            self.why = next((one for one in self._signals.values() if one.level is self.level), self.why)
            if self.level is DegradationLevel.NONE:
                self.why = None
        if self._signals:
            self._forget(now)

    def _forget(self, now: float) -> None:
        for name in [name for name, signal in self._signals.items() if signal.until <= now]:
            # What it demanded until then still counts for when the next step is due.
            ended = self._signals.pop(name)
            if ended.level.rank >= self.level.rank:
                self._calm_from = max(self._calm_from, ended.until)

    def reset(self, now: float) -> None:
        """Down to the ground at once: a person knows better than what is still demanded."""
        self._signals.clear()
        self.level, self.why = DegradationLevel.NONE, None
        self._calm_from = now
