"""How far the broker's clock is from this machine's, learnt from what its answers tell.

Every answer bounds the offset: it was written after the request left and before it arrived here. Bounds are held
against each other, so that a few answers whose `Date` tells only full seconds place it within a fraction of one. What
an endpoint for the time tells is precise to the millisecond and goes before any `Date`.
"""

from typing import Final

from sidecar.brokers.times import unix_time
from sidecar.clock import Clock
from sidecar.telemetry.events import Bus, ClockOffsetLearnt
from sidecar.wire import Headers, header
from sidecar.words import ClockSource

_DATE_SECONDS: Final = 1.0
"""RFC 9110, 6.6.1: `Date` tells full seconds."""
_PRECISE_SECONDS: Final = 0.001
_DRIFT: Final = 1e-4
"""Seconds a second by which two clocks may run apart; bounds grow by it."""
_NEWS_SECONDS: Final = 0.1
_LOOK_EVERY_SECONDS: Final = 10.0
"""A `Date` is read no more often than this: reading one costs more than everything else that an answer is asked."""


class BrokerClock:
    """One broker's clock. Tells an event when the offset is learnt, and when it changes by a tenth of a second."""

    def __init__(self, broker: str, bus: Bus, clock: Clock) -> None:
        self._broker = broker
        self._bus = bus
        self._clock = clock
        self._source: ClockSource | None = None
        self._low = self._high = 0.0
        self._learnt_at = 0.0
        self._told: float | None = None
        self._next_look = float("-inf")

    @property
    def offset(self) -> float:
        """Seconds that the broker's clock is ahead of this machine's; 0 until something is known."""
        return (self._low + self._high) / 2

    def now(self) -> float:
        """The broker's time, in Unix seconds."""
        return self._clock.now() + self.offset

    def hear(self, headers: Headers, seconds: float) -> None:
        """Learn from an answer that has just arrived, `seconds` after its request left."""
        at = self._clock.monotonic()
        if at < self._next_look or self._source is ClockSource.SERVER_TIME:
            return
        self._next_look = at + _LOOK_EVERY_SECONDS
        date = header(headers, b"date")
        told = unix_time(date) if date else None
        if told is not None:
            self._learn(told, seconds, _DATE_SECONDS, ClockSource.DATE)

    def learn(self, told: float, seconds: float) -> None:
        """Learn from what the broker said is its time, in an answer that arrived `seconds` after its request left."""
        self._learn(told, seconds, _PRECISE_SECONDS, ClockSource.SERVER_TIME)

    def _learn(self, told: float, seconds: float, resolution: float, source: ClockSource) -> None:
        now = self._clock.now()
        low, high = told - now, told + resolution - (now - seconds)
        grown = max(0.0, now - self._learnt_at) * _DRIFT
        if source is self._source and low <= self._high + grown and high >= self._low - grown:
            low, high = max(low, self._low - grown), min(high, self._high + grown)
        # Bounds that cannot both be true: one of the clocks was set.
        self._low, self._high, self._learnt_at, self._source = low, high, now, source
        if self._told is None or abs(self.offset - self._told) >= _NEWS_SECONDS:
            before, self._told = self._told, self.offset
            self._bus.emit(ClockOffsetLearnt(self._broker, before, self.offset, source))
