"""Limits that refill steadily, as accounting: nobody waits here."""

import math
from typing import Final

from sidecar.brokers.limits import BucketSpec
from sidecar.calls.limiter.forecast import Trend, bucket_exhaustion
from sidecar.clock import Clock

_SLACK: Final = 1e-9
"""Forgives the last bit of a float, so that a token that is due is there."""


class Bucket:
    """A token bucket: over any `t` seconds it lets at most `burst + rate * t` calls go."""

    __slots__ = ("_at", "_granted", "_monotonic", "_tokens", "_trend", "burst", "name", "pinned", "rate")

    read_at = None

    def __init__(self, spec: BucketSpec, clock: Clock, *, pinned: bool = False) -> None:
        self._monotonic = clock.monotonic
        self.name = spec.name
        self.rate = spec.rate
        self.burst = max(1.0, spec.burst)
        self.pinned = pinned
        """Whether a person has set it, so that what the broker announces does not count."""
        self._tokens = self.burst
        self._at = self._monotonic()
        self._granted = 0.0
        self._trend = Trend()

    @property
    def capacity(self) -> float:
        """Calls that may go at once."""
        return self.burst

    @property
    def used(self) -> float:
        """The part of the burst that is spent and has not refilled yet, as of the last look."""
        return self.burst - self._tokens

    def refresh(self) -> None:
        """Let the time that has passed take effect."""
        self._refill()

    def fits(self, cost: float, share: float) -> bool:
        """Whether `cost` calls may go now and leave the reserve of `1 - share` of the burst untouched."""
        now = self._refill()
        if now >= self._trend.due:
            self._trend.note(now, self._granted)
        return cost <= self.burst and self._tokens + _SLACK >= self._needed(cost, share)

    def take(self, cost: float) -> None:
        """Count `cost` calls; only after `fits`."""
        self._tokens -= cost
        self._granted += cost

    def give_back(self, cost: float) -> None:
        """Undo a `take` whose call will never be made."""
        self._tokens = min(self.burst, self._tokens + cost)
        self._granted -= cost

    def wait(self, cost: float, share: float) -> float:
        """Seconds until `fits` says yes if nobody else takes anything; infinite when it never will."""
        if cost > self.burst:
            return math.inf
        self._refill()
        return max(0.0, self._needed(cost, share) - self._tokens) / self.rate

    soonest = wait
    """Seconds before which `fits` certainly says no: nothing but time fills a bucket."""

    def resize(self, rate: float, burst: float) -> None:
        """Take other figures; what is spent stays spent."""
        self._refill()
        spent = self.used
        self.rate, self.burst = rate, max(1.0, burst)
        self._tokens = max(0.0, self.burst - spent)

    def reset(self) -> None:
        """Fill it."""
        self._tokens = self.burst
        self._at = self._monotonic()

    def exhaustion(self) -> float | None:
        """Seconds until it is empty at the rate of the last half minute; None when it refills as fast."""
        now = self._refill()
        return bucket_exhaustion(left=self._tokens, rate=self._trend.rate(now, self._granted), refill=self.rate)

    def _needed(self, cost: float, share: float) -> float:
        # A bucket too small for call and reserve together lets the call go when it is full.
        return min(cost + self.burst * (1.0 - share), self.burst)

    def _refill(self) -> float:
        now = self._monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return now
