"""When a limit will be used up if things go on as they are."""

import math
from collections import deque
from typing import Final

HORIZON_SECONDS: Final = 30.0
"""The rate is measured over this long: short enough to notice a runaway loop, long enough not to jump at each call."""
STEP_SECONDS: Final = 1.0
WARM_UP_SECONDS: Final = 5.0
"""A burst right after the start is spread over at least this long, so that one call is not a forecast."""


class Trend:
    """The use of one limit over the last half minute, in its unit a second.

    It is fed the running total of all use (other users of the address included, as far as the broker tells), at most
    once a second; `due` is the time from which on the next `note` matters.
    """

    __slots__ = ("_marks", "due")

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()
        self.due = -math.inf

    def note(self, now: float, total: float) -> None:
        """Remember the total as it stood just before something is added to it."""
        self._marks.append((now, total))
        self.due = now + STEP_SECONDS
        # One mark from before the horizon stays: it proves that the whole horizon was watched.
        while len(self._marks) > 1 and self._marks[1][0] <= now - HORIZON_SECONDS:
            self._marks.popleft()

    def forget(self) -> None:
        """Start anew, after the clock has stepped."""
        self._marks.clear()
        self.due = -math.inf

    def rate(self, now: float, total: float) -> float:
        """Units a second, at least 0."""
        since = now - HORIZON_SECONDS
        recent = next((mark for mark in self._marks if mark[0] > since), None)
        if recent is None:
            return 0.0
        # What came within a step after the mark before is not in the difference, and neither is that time.
        start = max(since, self._marks[0][0] + STEP_SECONDS) if self._marks[0][0] <= since else recent[0]
        return max(0.0, total - recent[1]) / max(now - start, WARM_UP_SECONDS)


def window_exhaustion(*, left: float, rate: float, resets_in: float, capacity: float, seconds: float) -> float | None:
    """Seconds until a window is full at this rate; None when the rate can go on for ever.

    A rate that lasts until the reset but would fill a whole window is told too, as the moment in the next window at
    which it does: otherwise the forecast of an unsustainable rate would vanish in the second half of every window.
    """
    if left <= 0:
        return 0.0
    if rate <= 0:
        return None
    if rate * resets_in >= left:
        return left / rate
    if rate * seconds > capacity:
        return resets_in + capacity / rate
    return None


def bucket_exhaustion(*, left: float, rate: float, refill: float) -> float | None:
    """Seconds until a bucket is empty at this rate; None when it refills at least as fast."""
    if left < 1:
        return 0.0
    if rate <= refill:
        return None
    return left / (rate - refill)
