"""Makes a broker's condition out of its configuration."""

from random import Random

from sidecar.clock import Clock
from sidecar.config.model import Maintenance
from sidecar.health.backoff import ProbePauses
from sidecar.health.condition import Condition, Thresholds
from sidecar.health.windows import Planned
from sidecar.telemetry.events import AttemptFinished, Bus, GateShut


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
