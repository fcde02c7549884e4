"""Makes a broker's condition, and its degradation level, out of its configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sidecar.calls.policies import breaker_policy
from sidecar.clock import Clock
from sidecar.config.model import Broker, Maintenance
from sidecar.health.backoff import ProbePauses
from sidecar.health.condition import Condition, Thresholds
from sidecar.health.degradation import Degradation
from sidecar.health.ladder import Ladder
from sidecar.health.signals import Signals
from sidecar.health.windows import Planned
from sidecar.telemetry.events import AttemptFinished, Bus, GateShut
from sidecar.words import BreakerMode


def condition(broker: str, settings: Maintenance, *, bus: Bus, clock: Clock, rng: Random) -> Condition:
    """The condition of one broker, listening to its attempts."""
    made = Condition(
        broker,
        *_rules(settings),
        planned=Planned(settings.windows),
        idle_seconds=settings.idle_seconds,
        bus=bus,
        clock=clock,
        rng=rng,
    )
    bus.subscribe(AttemptFinished, made.observe)
    bus.subscribe(GateShut, made.gate_shut)
    return made


def readjust(running: Condition, settings: Maintenance) -> None:
    """Let a condition go by other settings."""
    running.adopt(*_rules(settings), planned=Planned(settings.windows), idle_seconds=settings.idle_seconds)


def _rules(settings: Maintenance) -> tuple[Thresholds, ProbePauses, ProbePauses]:
    return (
        Thresholds(settings.consecutive_503, settings.consecutive_failures),
        ProbePauses(settings.base_seconds, settings.factor, settings.max_seconds, settings.jitter),
        ProbePauses(settings.degraded_base_seconds, settings.factor, settings.degraded_max_seconds, settings.jitter),
    )


@dataclass(frozen=True, slots=True)
class Ruled:
    """A broker's degradation level, and what moves it by rules."""

    level: Degradation
    signals: Signals
    condition: Condition
    bus: Bus

    def adopt(self, settings: Broker) -> None:
        """Go by other rules from now on, those of which breakers count among them."""
        wanted = settings.degradation
        self.level.adopt(
            wanted.recovery_seconds, auto_recovery=wanted.auto_recovery, market_data_share=wanted.market_data_share
        )
        self.signals.adopt(wanted, _watched(settings), self.condition.state, self.bus)


def ruled(broker: str, settings: Broker, condition: Condition, *, bus: Bus, clock: Clock) -> Ruled:
    """The degradation level of one broker and its rules, listening to what happens to it."""
    wanted = settings.degradation
    ladder = Ladder(wanted.recovery_seconds, auto_recovery=wanted.auto_recovery)
    level = Degradation(broker, ladder, market_data_share=wanted.market_data_share, bus=bus, clock=clock)
    signals = Signals(broker, wanted, level, watched=_watched(settings), clock=clock)
    signals.condition(condition.state, broker)  # a start inside a planned window was told before anybody listened
    signals.subscribe(bus)
    return Ruled(level, signals, condition, bus)


def degradation(broker: str, settings: Broker, condition: Condition, *, bus: Bus, clock: Clock) -> Degradation:
    """The level alone, for who changes no rule."""
    return ruled(broker, settings, condition, bus=bus, clock=clock).level


def _watched(settings: Broker) -> Callable[[str], bool]:
    """Whether the breaker of a group counts; one that only measures does not."""
    return lambda group: breaker_policy(settings.breaker, group).mode is not BreakerMode.SHADOW
