"""Limits that count in the broker's windows, as accounting: nobody waits here.

What the broker has counted can only be bounded from here, because attempts in flight may or may not have reached it:

    used = own + foreign

`own` is the cost of every attempt of ours that may have been counted in this window. `foreign` is what the broker's
readings say on top of the attempts that were certainly in them: other users of the address, and costs that were assumed
too small. A reading counts until one that was asked for after it has arrived, so that an overtaken answer can neither
hide what a newer one told nor outlive it. The sum is never below our own count, and never below the newest reading.

Clocks differ, and an attempt is counted when it arrives. So an attempt that was in flight, or ended, within a margin of
a boundary is counted in both windows, and the new one begins a margin late: unless a reading that is lower than one
known before its attempt was sent proves that the broker has begun it already.
"""

import math
from typing import Final

from sidecar.brokers.limits import WindowSpec
from sidecar.calls.limiter.forecast import Trend, window_exhaustion
from sidecar.calls.limiter.gate import CLOCK_MARGIN_SECONDS
from sidecar.calls.limiter.ticks import Ticks
from sidecar.clock import Clock

_MARGIN_SHARE: Final = 0.25
"""A window shorter than four margins gets a smaller one: no margin could tell its neighbours apart."""
_SLACK: Final = 1e-9


class Window:
    """One windowed limit. Its times are Unix seconds of our own clock."""

    __slots__ = ("_anchored", "_carried", "_doubt", "_doubt_before", "_end", "_fence", "_flying", "_foreign",
                 "_foreign_before", "_margin", "_newest", "_now", "_own", "_rolled", "_seam", "_seam_at", "_ticks",
                 "_told", "_told_before", "_trend", "capacity", "name", "pinned", "read_at", "roll_at",
                 "seconds", "settled", "used")  # fmt: skip

    def __init__(self, spec: WindowSpec, clock: Clock, ticks: Ticks, *, pinned: bool = False) -> None:
        self._now = clock.now
        self._ticks = ticks
        self.name = spec.name
        self.capacity = spec.capacity
        self.seconds = spec.seconds
        self.pinned = pinned
        """Whether a person has set the capacity, so that what the broker announces does not count."""
        self.read_at: float | None = None
        self._margin = min(CLOCK_MARGIN_SECONDS, spec.seconds * _MARGIN_SHARE)
        self._flying = 0.0
        self._seam = 0.0
        self._carried = 0.0
        self._trend = Trend()
        self._align(self._now())
        self._begin()
        self._refigure()

    def _align(self, now: float) -> None:
        self._anchored = False
        self._set_end((math.floor((now - self._margin) / self.seconds) + 1) * self.seconds)

    def _set_end(self, end: float) -> None:
        self._end = end
        self.roll_at = end + self._margin
        """When the next window begins for us, unless a reading shows it earlier."""
        self._seam_at = end - self._margin

    def _begin(self) -> None:
        """Start counting; only what is in flight, or ended at the seam, can have been counted already."""
        self._rolled = self._fence = self._newest = self._ticks.advance()
        self.settled = 0.0
        """Cost of our attempts that were sent and answered within this window."""
        self._doubt_before, self._doubt = self._seam, 0.0
        self._foreign_before = self._foreign = 0.0
        self._told_before = self._told = 0.0
        self._own = self._flying + self._seam
        self._seam = 0.0

    def _refigure(self) -> None:
        before, latest = self._foreign_before, self._foreign
        self.used = self._own + (max(before, latest))
        """What the broker has counted at most."""

    # The call's way

    def refresh(self) -> None:
        """Let the time that has passed take effect."""
        if (now := self._now()) >= self.roll_at:
            self._roll(now)

    def fits(self, cost: float, share: float) -> bool:
        """Whether `cost` may be added now and leave `1 - share` of the capacity untouched.

        What is larger than that share goes when the window is empty.
        """
        now = self._now()
        if now >= self.roll_at:
            self._roll(now)
        if now >= self._trend.due:
            self._trend.note(now, self._carried + self.used)
        used = self.used
        return used + cost <= self.capacity * share + _SLACK or (used <= _SLACK and cost <= self.capacity)

    def take(self, cost: float) -> None:
        """Count an attempt that is about to be sent; only after `fits`."""
        self._flying += cost
        self._own += cost
        self.used += cost

    def give_back(self, cost: float) -> None:
        """Undo a `take` whose attempt will never be sent."""
        self._flying -= cost
        self._own -= cost
        self.used -= cost

    def settle(self, cost: float, tick: int, now: float) -> None:
        """An attempt ended that was sent at `tick`: it is in flight no longer.

        An attempt that never reached the broker stays counted: only a reading knows better.
        """
        if now >= self.roll_at:
            self._roll(now)
        self._flying -= cost
        if tick >= self._rolled:
            self.settled += cost
        else:
            self._doubt += cost
        if now >= self._seam_at:
            self._seam += cost

    def read(self, told: float, cost: float, sent: tuple[int, float], now: float, resets_at: float | None) -> None:
        """Take a reading from an attempt that cost `cost`, after settling it.

        `sent`: the tick at which it was sent, and what `settled` was then.
        """
        self.read_at = now
        tick, settled = sent
        if tick < self._rolled:
            return  # Sent before the boundary: nobody knows which window it tells of.
        later = tick >= self._fence
        if later and now >= self._seam_at and self._shows_a_new_window(told, resets_at):
            self._roll(now)
            # Of ours, this reading surely holds but its own attempt.
            self._foreign_before = max(0.0, told - cost)
        else:
            if later:
                self._pass_fence()
            if tick >= self._newest:
                # All that was read before is older than this.
                self._foreign_before = self._foreign = 0.0
            if (foreign := told - settled - cost) > self._foreign:
                self._foreign = foreign
            self._told = max(self._told, told)
        if resets_at is not None:
            self._anchor(resets_at, now)
        self._newest = self._ticks.advance()
        self._refigure()

    def fill(self, cost: float, sent: tuple[int, float], now: float) -> None:
        """The broker declined an attempt because this window is full: it stays so until its end.

        A reading in all but the figure, so that an overtaken answer, which saw more room, cannot take it back.
        """
        self.read(max(self.capacity, self.used), cost, sent, now, None)

    def _shows_a_new_window(self, told: float, resets_at: float | None) -> bool:
        return told < self._told_before or (resets_at is not None and resets_at > self._end + self._margin)

    def _pass_fence(self) -> None:
        """A reading has come of an attempt that was sent after the fence: it includes all that was answered before."""
        if self._doubt_before:
            self._own -= self._doubt_before
        self._doubt_before, self._doubt = self._doubt, 0.0
        self._foreign_before, self._foreign = self._foreign, 0.0
        self._told_before = self._told
        self._fence = self._ticks.now + 1  # The tick that begins when the reading has been taken.

    def _anchor(self, resets_at: float, now: float) -> None:
        # Once a window: a broker that tells a sliding reset must not push the end away for ever.
        if not self._anchored and now < resets_at <= now + self.seconds + self._margin:
            self._set_end(resets_at)
            self._anchored = True
            if now >= self._seam_at:
                self._seam = max(self._seam, self.settled)

    def _roll(self, now: float) -> None:
        used = self.used
        passed = max(1, math.floor((now - self._margin - self._end) / self.seconds) + 1)
        if passed > 1:
            self._seam = 0.0
        self._anchored = False
        self._set_end(self._end + passed * self.seconds)
        self._begin()
        self._refigure()
        self._carried += used - self.used

    # For those who wait

    def wait(self, cost: float, share: float) -> float:
        """Seconds until it is worth looking again, unless an answer arrives; infinite when it can never fit."""
        if cost > self.capacity:
            return math.inf
        now = self._now()
        if self.roll_at - now > self.seconds + 3 * self._margin:
            self._follow_step(now)
        return 0.0 if self.fits(cost, share) else max(0.0, self.roll_at - now)

    def soonest(self, cost: float, share: float) -> float:
        """Seconds before which `fits` certainly says no, whatever the attempts in flight will tell."""
        if cost > self.capacity:
            return math.inf
        self.refresh()
        # In this window the broker has counted at least this much, and what it has counted it does not take back.
        certain = max(self._told, self.settled)
        if certain + cost <= self.capacity * share + _SLACK or certain <= _SLACK:
            return 0.0
        may_roll_early = self._flying > _SLACK and self.read_at is not None
        return max(0.0, (self._seam_at if may_roll_early else self.roll_at) - self._now())

    def _follow_step(self, now: float) -> None:
        """Our clock was set back: find the boundaries again, and keep what was counted."""
        self._align(now)
        self._trend.forget()

    # What others ask

    def resize(self, capacity: float) -> None:
        """Take another capacity; what is counted stays counted."""
        self.capacity = capacity

    def reset(self) -> None:
        """Forget what was counted and told; what is in flight stays in flight."""
        self._seam = 0.0
        self._begin()
        self._refigure()

    def exhaustion(self) -> float | None:
        """Seconds until it is full at the rate of the last half minute; None when that rate can go on for ever."""
        self.refresh()
        now = self._now()
        return window_exhaustion(
            left=self.capacity - self.used,
            rate=self._trend.rate(now, self._carried + self.used),
            resets_in=max(0.0, self.roll_at - now),
            capacity=self.capacity,
            seconds=self.seconds,
        )
