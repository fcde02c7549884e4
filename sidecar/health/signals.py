"""What happens to a broker, as demands for a degradation level: the rules that move it up."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sidecar.calls.sliding import SlidingCounts
from sidecar.clock import Clock
from sidecar.config.model import Degradation as Settings
from sidecar.health.degradation import Degradation
from sidecar.health.ladder import Signal
from sidecar.telemetry.events import (
    AttemptFinished,
    BreakerTransition,
    BrokerStateChanged,
    Bus,
    GateOpened,
    GateShut,
    LimitReading,
    LimitReset,
)
from sidecar.words import BreakerState, BrokerState, DegradationCause, DegradationLevel, Outcome

LIMIT_SECONDS: Final = 60.0
"""A limit that was told to be used so far is taken to be so for this long, unless its next reading says otherwise."""
ORDERS: Final = "orders"
"""The endpoint group of orders, in every profile."""

_CONDITIONS: Final[Mapping[BrokerState, DegradationCause]] = {
    BrokerState.DEGRADED: DegradationCause.DEGRADED,
    BrokerState.MAINTENANCE: DegradationCause.MAINTENANCE,
    BrokerState.BANNED: DegradationCause.BANNED,
}
_FAILURES: Final = frozenset({Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.MAINTENANCE})
_NEUTRAL: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})
_CLOSED: Final = frozenset({BreakerState.CLOSED, BreakerState.FORCED_CLOSED})
_ALL, _FAILED = 0, 1


class Signals:
    """Listens to what happens to one broker."""

    def __init__(
        self,
        broker: str,
        settings: Settings,
        degradation: Degradation,
        *,
        watched: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        """`watched`: whether the breaker of a group counts; one that only measures does not."""
        self._broker = broker
        self._settings = settings
        self._degradation = degradation
        self._watched = watched
        self._clock = clock
        self._attempts = SlidingCounts(2, settings.window_seconds)
        self._heard: set[type] = set()

    def adopt(self, settings: Settings, watched: Callable[[str], bool], state: BrokerState, bus: Bus) -> None:
        """Go by other rules; `state` is the broker's condition now.

        What goes on demands what they say of it: more at once, and less step by step, as ever. A breaker that is open
        already and was not watched until now counts when it next opens.
        """
        before, self._settings, self._watched = self._settings, settings, watched
        if settings.window_seconds != before.window_seconds:
            self._attempts = SlidingCounts(2, settings.window_seconds)
        self._listen(bus)
        for name, signal in self._degradation.signals.items():
            kind, _, group = name.partition(" ")
            gone = kind == "breaker" and not watched(group)
            level = DegradationLevel.NONE if gone else getattr(settings.rules, signal.cause)
            if level is not signal.level:
                self._degradation.demand(name, replace(signal, level=level))
        cause = _CONDITIONS.get(state)
        # Only where its rule is another: what a person has forgiven is not brought up again by any reload.
        if cause is not None and getattr(settings.rules, cause) is not getattr(before.rules, cause):
            self._demand("condition", cause)

    def subscribe(self, bus: Bus) -> None:
        """Listen to what the configured rules need."""
        bus.subscribe(BreakerTransition, self._breaker)
        bus.subscribe(BrokerStateChanged, lambda event: self.condition(event.to_state, event.broker))
        bus.subscribe(GateShut, self._gate_shut)
        bus.subscribe(GateOpened, self._gate_opened)
        bus.subscribe(LimitReset, self._gate_opened)
        self._listen(bus)

    def _listen(self, bus: Bus) -> None:
        """Listen to what happens all the time only where a rule asks for it."""
        often: tuple[tuple[type, Any, bool], ...] = (
            (AttemptFinished, self._attempt, self._settings.rules.errors is not DegradationLevel.NONE),
            (LimitReading, self._limit, self._settings.limit_share is not None),
        )
        for kind, handler, wanted in often:
            if wanted and kind not in self._heard:
                self._heard.add(kind)
                bus.subscribe(kind, handler)

    def condition(self, state: BrokerState, broker: str) -> None:
        """The broker's condition changed to this."""
        if broker != self._broker:
            return
        cause = _CONDITIONS.get(state)
        if cause is None:
            self._degradation.calm("condition")
        else:
            self._demand("condition", cause)

    def _breaker(self, event: BreakerTransition) -> None:
        if event.broker != self._broker or not self._watched(event.group):
            return
        name = f"breaker {event.group}"
        if event.to_state in _CLOSED:
            self._degradation.calm(name)
            return
        cause = DegradationCause.ORDERS_BREAKER_OPEN if event.group == ORDERS else DegradationCause.BREAKER_OPEN
        if event.to_state is BreakerState.FORCED_OPEN:
            self._demand(name, cause, note=event.group)
        elif event.to_state is BreakerState.OPEN:
            # When its pause is over it waits for a call to try: what is refused here could never be that call.
            seconds = math.inf if event.retry_in is None else event.retry_in
            self._demand(name, cause, seconds, event.group)

    def _gate_shut(self, event: GateShut) -> None:
        if event.broker == self._broker:
            banned = event.outcome is Outcome.BANNED
            cause = DegradationCause.BANNED if banned else DegradationCause.RATE_LIMITED
            self._demand("gate", cause, event.seconds)

    def _gate_opened(self, event: GateOpened | LimitReset) -> None:
        if event.broker == self._broker:
            self._degradation.calm("gate")

    def _limit(self, event: LimitReading) -> None:
        share = self._settings.limit_share
        if event.broker != self._broker or share is None:
            return
        name = f"limit {event.limit}"
        if event.used >= share * event.capacity:
            self._demand(name, DegradationCause.RATE_LIMITED, LIMIT_SECONDS, event.limit)
        else:
            self._degradation.calm(name)

    def _attempt(self, event: AttemptFinished) -> None:
        outcome = event.outcome
        if event.broker != self._broker or outcome in _NEUTRAL:
            return
        now = self._clock.monotonic()
        self._attempts.add(now, _ALL)
        if outcome in _FAILURES:
            self._attempts.add(now, _FAILED)
        elif not self._degradation.demands("errors"):
            return
        attempts, settings = self._attempts.sum(now, _ALL), self._settings
        if attempts >= settings.minimum_calls and self._attempts.sum(now, _FAILED) >= settings.error_rate * attempts:
            self._demand("errors", DegradationCause.ERRORS, settings.window_seconds)
        else:
            self._degradation.calm("errors")

    def _demand(self, name: str, cause: DegradationCause, seconds: float = math.inf, note: str = "") -> None:
        level = getattr(self._settings.rules, cause)
        self._degradation.demand(name, Signal(level, cause, self._clock.monotonic() + seconds, note))
