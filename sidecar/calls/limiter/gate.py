"""The gate of an address: shut while the broker wants to hear nothing."""

import math
from collections.abc import Callable
from typing import Final

from sidecar.brokers.profile import Verdict
from sidecar.calls.limiter.ticks import Ticks
from sidecar.clock import Clock
from sidecar.telemetry.state import GateReading
from sidecar.words import Outcome

GATE: Final = "gate"
"""What the gate is called where limits are named."""
CLOCK_MARGIN_SECONDS: Final = 1.0
"""How far our clock and a broker's may be apart."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
FIRST_BAN_SECONDS: Final = 120.0
"""For a ban of untold length: Binance documents 2 minutes as its shortest, and longer ones for those who go on."""
LONGEST_BAN_SECONDS: Final = 3600.0
RAMP_SECONDS: Final = 5.0
RAMP_SPACING_SECONDS: Final = 0.1
"""When a broker that tells no use has shut the gate, calls then go one by one: ten a second for five seconds."""
LONGEST_TOLD_SECONDS: Final = 3 * 86_400.0
"""[doc] Binance's longest ban is three days; a `Retry-After` beyond that is a broken header, not a reason to stay shut
until somebody notices."""
_NEWS_SECONDS: Final = 1.0
"""A shut gate that stays shut by less than this longer is not told again: answers in flight say the same thing."""


def told_pause(verdict: Verdict, now: float) -> float | None:
    """Seconds that the broker asked to wait; None when it did not say, or said something meaningless.

    An end told as a time is on the broker's clock, and gets the margin that clocks may be apart. Three days at most.
    """
    told = []
    if verdict.retry_after is not None:
        told.append(verdict.retry_after)
    if verdict.until is not None and verdict.until > now:
        told.append(verdict.until - now + CLOCK_MARGIN_SECONDS)
    told = [min(seconds, LONGEST_TOLD_SECONDS) for seconds in told if math.isfinite(seconds) and seconds > 0]
    return max(told, default=None)


class Gate:
    """Shut until a moment, which can only move away; then calls pass slowly where the broker tells no use.

    `busy` is False while calls may simply pass: the only thing that the fast path looks at.
    """

    __slots__ = ("_announce", "_clock", "_gradual", "_next", "_ramp_ends", "_tick", "_ticks", "_told", "_until",
                 "busy", "outcome", "streak")  # fmt: skip

    def __init__(self, clock: Clock, ticks: Ticks) -> None:
        self._clock = clock
        self._ticks = ticks
        self.busy = False
        self.outcome: Outcome | None = None
        """Why it is shut; None while it is not."""
        self.streak = 0
        """How often in a row the broker said that it was too much."""
        self._gradual = False
        self._until = 0.0
        self._told = 0.0
        self._next = 0.0
        self._ramp_ends = 0.0
        self._tick = 0
        self._announce: Callable[[], None] | None = None

    def remaining(self) -> float:
        """Seconds until the next call may pass; 0 when it may now. Tells that the gate has opened, when it has."""
        if not self.busy:
            return 0.0
        now = self._clock.monotonic()
        if self.outcome is not None:
            if now < self._until:
                return self._until - now
            self._open(now)
        if now >= self._ramp_ends:
            self.busy = False
            return 0.0
        return max(0.0, self._next - now)

    def passed(self) -> None:
        """A call was let through."""
        if self.busy:
            self._next = self._clock.monotonic() + RAMP_SPACING_SECONDS

    def guess(self, tick: int, outcome: Outcome) -> float:
        """Seconds to wait when the broker does not say: longer each time that a call sent since got the same answer.

        Answers to calls that were sent before the gate shut belong to the same incident and do not lengthen it.
        """
        if self.streak == 0 or tick >= self._tick:
            self.streak += 1
        banned = outcome is Outcome.BANNED
        first, longest = (
            (FIRST_BAN_SECONDS, LONGEST_BAN_SECONDS) if banned else (FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        )
        return min(longest, first * 2.0 ** min(self.streak - 1, 16))

    def shut(self, seconds: float, outcome: Outcome, *, gradual: bool, announce: Callable[[], None]) -> bool:
        """Shut it for `seconds` from now, unless it is shut for longer. Returns whether that is news.

        `gradual`: nothing tells how much may go afterwards. `announce` is called once when it opens.
        """
        self.remaining()
        until = self._clock.monotonic() + seconds
        fresh = self.outcome is None
        worse = outcome is Outcome.BANNED and self.outcome is not Outcome.BANNED
        if fresh:
            self._announce = announce
        if fresh or worse:
            self.outcome = outcome
        if fresh or until > self._until:
            self._until, self._gradual = until, gradual
        self._tick = self._ticks.advance()
        self.busy = True
        news = fresh or worse or self._until > self._told + _NEWS_SECONDS
        if news:
            self._told = self._until
        return news

    def calm(self, tick: int) -> None:
        """An attempt was answered without a word of limits: when it was sent since, the next pause starts small."""
        if tick >= self._tick:
            self.streak = 0

    def force_open(self) -> None:
        """Open it by hand, and forget how often it was shut."""
        if self.outcome is not None:
            self._gradual = False
            self._open(self._clock.monotonic())
        self.busy = False
        self.streak = 0

    def reading(self) -> GateReading:
        """The gate now."""
        left = self.remaining()
        if self.outcome is None:
            return GateReading(shut=False, outcome="", until=None)
        return GateReading(shut=True, outcome=self.outcome.value, until=self._clock.now() + left)

    def _open(self, now: float) -> None:
        self.outcome = None
        self._next = now
        self._ramp_ends = now + RAMP_SECONDS if self._gradual else now
        announce, self._announce = self._announce, None
        if announce is not None:
            announce()
