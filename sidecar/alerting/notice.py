"""What one channel knows of one error, and what it is to be told next. Pure bookkeeping: no clock, no network.

A channel hears of an error when it begins and when it is over. What comes back within its pause is told when the pause
ends, if it still lasts then: nobody is told twice, and nobody is left in the belief that it is over.
"""

from dataclasses import dataclass
from enum import StrEnum

from sidecar.alerting.record import Key


class Pending(StrEnum):
    """What a channel is to be told."""

    FIRING = "firing"
    RESOLVED = "resolved"
    STILL = "still"
    """It lasts, as was told before."""


@dataclass(slots=True)
class Told:
    """What a channel was told last."""

    at: float
    """Unix seconds at which it was last told that it lasts."""
    open: bool
    """Whether it still believes so."""


@dataclass(slots=True)
class Notice:
    """One error at one channel."""

    key: Key
    told: Told | None = None
    pending: Pending | None = None
    due: float = 0.0
    """Unix seconds at which to tell it."""
    attempts: int = 0
    """How often telling it has failed."""
    flying: bool = False
    """Whether it is being told right now."""

    @classmethod
    def restored(cls, key: Key, told: Told | None, pending: str | None, due: float | None, attempts: int) -> "Notice":
        """As it was written down."""
        return cls(key, told, None if pending is None else Pending(pending), due or 0.0, attempts)

    @property
    def believed(self) -> bool:
        """Whether the channel was told that it lasts, and not yet that it is over."""
        return self.told is not None and self.told.open

    def begin(self, now: float, soon: float, pause: float) -> bool:
        """It happened, perhaps once more; `soon` is when the channel speaks next. Whether it is held back.

        `pause` is the least time between two notifications about the same, in seconds.
        """
        if self.flying or self.pending is Pending.FIRING:
            return False
        free = float("-inf") if self.told is None else self.told.at + pause
        if self.believed:
            if self.pending is Pending.RESOLVED:
                self._plan(None, 0.0)
            if now >= free:
                self._plan(Pending.FIRING, soon if self.pending is None else min(self.due, soon))
            return False
        self._plan(Pending.FIRING, max(soon, free))
        return free > soon

    def end(self, soon: float) -> None:
        """It is over."""
        if self.flying or self.pending is Pending.RESOLVED:
            return
        # Whoever could not be told in time is told that it was there, and is over.
        tried = self.pending is Pending.FIRING and self.attempts > 0
        self._plan(Pending.RESOLVED if self.believed or tried else None, soon)

    def sent(self, now: float, still_at: float | None) -> None:
        """The channel has been told; `still_at` is when to tell it again that it lasts."""
        self.flying = False
        if self.pending is Pending.RESOLVED:
            if self.told is not None:
                self.told.open = False
            else:
                self.told = Told(now, open=False)
            self._plan(None, 0.0)
            return
        self.told = Told(now, open=True)
        self._plan(None if still_at is None else Pending.STILL, still_at or 0.0)

    def failed(self, again_at: float) -> None:
        """The channel could not be told."""
        self.flying = False
        self.attempts += 1
        self.due = again_at

    def _plan(self, pending: Pending | None, due: float) -> None:
        if pending is not self.pending:
            self.attempts = 0
        self.pending, self.due = pending, due
