"""How much of a broker may be used: moved up by what happens, down by calm, and by people.

What a person sets is a floor until it expires or is taken back: the rules go on above it. To take it back is also to
forget what the rules remember, so that a person can always say: trade. The next thing that happens counts again.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.brokers.profile import Intent
from sidecar.clock import Clock
from sidecar.health.ladder import Ladder, Signal
from sidecar.health.levels import holds_back_market_data, treatment
from sidecar.telemetry.events import Bus, DegradationChanged
from sidecar.telemetry.state import DegradationReading
from sidecar.words import DegradationCause, DegradationLevel

SHORTEST_SECONDS: Final = 0.001
"""Timers are no finer; a shorter one could find that nothing is due yet, and spin."""


@dataclass(frozen=True, slots=True)
class _ByHand:
    """What a person set; `until` in monotonic seconds."""

    level: DegradationLevel
    until: float
    reason: str


class Degradation:
    """The degradation level of one broker (`sidecar.calls.admission.Restraint`)."""

    def __init__(self, broker: str, ladder: Ladder, *, market_data_share: float, bus: Bus, clock: Clock) -> None:
        self._broker = broker
        self._ladder = ladder
        self._market_data_share = market_data_share
        self._bus = bus
        self._clock = clock
        self._by_hand: _ByHand | None = None
        self._since = clock.now()
        self._changed = asyncio.Event()
        self.level = DegradationLevel.NONE
        """The level that is in force. While it is `NONE`, time alone changes nothing."""

    def adopt(self, recovery_seconds: float, *, auto_recovery: bool, market_data_share: float) -> None:
        """Go by other settings; what is due by the old ones has happened."""
        self._keep_up()
        self._ladder.adopt(recovery_seconds, auto_recovery=auto_recovery)
        self._market_data_share = market_data_share
        self._changed.set()

    @property
    def signals(self) -> Mapping[str, Signal]:
        """What the rules demand now, by name."""
        return self._ladder.signals

    # What calls ask

    def refuses(self, intent: Intent) -> bool:
        """Whether the level forbids this call."""
        self._keep_up()
        return treatment(self.level, intent).refused

    def serves_stale(self, intent: Intent) -> bool:
        """Whether a read that failed may be answered with what is remembered."""
        self._keep_up()
        return treatment(self.level, intent).may_be_stale

    @property
    def market_data_share(self) -> float:
        """The share of each limit that market data may use, 0 to 1."""
        return self._market_data_share if holds_back_market_data(self.level) else 1.0

    def reading(self) -> DegradationReading:
        """The level, for the scrape, the control API and people."""
        self._keep_up()
        cause, note = self._why()
        by_hand, falls_at = self._by_hand, self._falls_at()
        return DegradationReading(
            level=self.level,
            since=self._since,
            cause=cause,
            note=note,
            until=None if by_hand is None else self._wall(by_hand.until),
            next_step=None if math.isinf(falls_at) else self._wall(falls_at),
        )

    def _why(self) -> tuple[DegradationCause | None, str]:
        by_hand, why = self._by_hand, self._ladder.why
        if by_hand is not None and by_hand.level is self.level is not DegradationLevel.NONE:
            return DegradationCause.MANUAL, by_hand.reason
        return (None, "") if why is None else (why.cause, why.note)

    def _falls_at(self) -> float:
        """When less will be forbidden, if nothing happens; monotonic, infinite when that is not in sight."""
        if self._by_hand is None:
            return self._ladder.falls_at
        if self._by_hand.level.rank > self._ladder.level.rank:
            return self._by_hand.until
        return max(self._by_hand.until, self._ladder.falls_at)

    def _wall(self, monotonic: float) -> float:
        return self._clock.now() + monotonic - self._clock.monotonic()

    # What people say

    def degrade(self, level: DegradationLevel, reason: str, seconds: float) -> None:
        """Let the level be at least this for `seconds`, whatever the rules say; `reason` goes on record."""
        self._keep_up()
        self._by_hand = _ByHand(level, self._clock.monotonic() + seconds, reason)
        self._enforce(DegradationCause.MANUAL, reason, seconds=seconds, told=True)

    def recover(self, reason: str) -> None:
        """Back to `none` at once, whoever or whatever had set the level; `reason` goes on record."""
        self._by_hand = None
        self._ladder.reset(self._clock.monotonic())
        self._enforce(DegradationCause.MANUAL, reason, told=True)

    # What happens

    def demand(self, name: str, signal: Signal) -> None:
        """Something began, or goes on, that demands a level; `name` tells it from other such things."""
        self._keep_up()
        self._ladder.give(name, signal, self._clock.monotonic())
        self._enforce(signal.cause, signal.note)

    def calm(self, name: str) -> None:
        """It is over."""
        if self._ladder.has(name):
            self._keep_up()
            self._ladder.withdraw(name, self._clock.monotonic())
            self._enforce(DegradationCause.RECOVERY)

    def demands(self, name: str) -> bool:
        """Whether such a thing goes on."""
        return self._ladder.has(name)

    # Time

    async def run(self) -> None:
        """Step down in time, also when nobody asks, until cancelled."""
        while True:
            self._keep_up()
            self._changed.clear()
            due = self._due() - self._clock.monotonic()
            try:
                async with asyncio.timeout(None if math.isinf(due) else max(SHORTEST_SECONDS, due)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _due(self) -> float:
        return min(self._ladder.falls_at, math.inf if self._by_hand is None else self._by_hand.until)

    def _keep_up(self) -> None:
        """Take every step that time has made due, one by one."""
        now = self._clock.monotonic()
        while (due := self._due()) <= now:
            cause = DegradationCause.RECOVERY
            if self._by_hand is not None and self._by_hand.until <= due:
                self._by_hand, cause = None, DegradationCause.EXPIRED
            self._ladder.settle(due)
            self._enforce(cause)

    def _enforce(
        self, cause: DegradationCause, note: str = "", *, seconds: float | None = None, told: bool = False
    ) -> None:
        before, by_hand = self.level, self._by_hand
        floor = DegradationLevel.NONE if by_hand is None else by_hand.level
        self.level = max(floor, self._ladder.level, key=lambda level: level.rank)
        self._changed.set()
        if self.level is not before:
            self._since = self._clock.now()
        if told or self.level is not before:
            self._bus.emit(DegradationChanged(self._broker, before, self.level, cause, note, seconds))
