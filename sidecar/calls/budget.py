"""The retry budget: retries may be a share of recent traffic, so that they cannot become the outage."""

from typing import Final

from sidecar.calls.sliding import SlidingCounts
from sidecar.clock import Clock

WINDOW_SECONDS: Final = 10.0
_CALLS, _RETRIES = 0, 1


class RetryBudget:
    """At most `floor` retries plus `share` of the calls, both over the last ten seconds, for one broker."""

    def __init__(self, share: float, floor: int, clock: Clock) -> None:
        self._share = share
        self._floor = floor
        self._clock = clock
        self._counts = SlidingCounts(2, WINDOW_SECONDS)

    def adopt(self, share: float, floor: int) -> None:
        """Allow another share of the calls, and another floor, from now on."""
        self._share, self._floor = share, floor

    def count_call(self) -> None:
        """A call came from the bot; it earns its share of a retry."""
        self._counts.add(self._clock.monotonic(), _CALLS)

    def take(self) -> bool:
        """Spend one retry; False when there is none to spend."""
        if self.left() < 1:
            return False
        self._counts.add(self._clock.monotonic(), _RETRIES)
        return True

    def left(self) -> float:
        """Retries that may still be made now; never below 0."""
        now = self._clock.monotonic()
        earned = self._floor + self._share * self._counts.sum(now, _CALLS)
        return max(0.0, earned - self._counts.sum(now, _RETRIES))
