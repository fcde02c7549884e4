"""Makes a broker's condition, and its degradation level, out of its configuration."""

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
        Thresholds(settings.consecutive_503, settings.consecutive_failures),
        ProbePauses(settings.base_seconds, settings.factor, settings.max_seconds, settings.jitter),
        ProbePauses(settings.degraded_base_seconds, settings.factor, settings.degraded_max_seconds, settings.jitter),
        planned=Planned(settings.windows),
        idle_seconds=settings.idle_seconds,
        bus=bus,
        clock=clock,
        rng=rng,
    )
    bus.subscribe(AttemptFinished, made.observe)
    bus.subscribe(GateShut, made.gate_shut)
    return made


def degradation(broker: str, settings: Broker, condition: Condition, *, bus: Bus, clock: Clock) -> Degradation:
    """The degradation level of one broker, listening to what happens to it."""
    wanted = settings.degradation
    ladder = Ladder(wanted.recovery_seconds, auto_recovery=wanted.auto_recovery)
    made = Degradation(broker, ladder, market_data_share=wanted.market_data_share, bus=bus, clock=clock)

    def watched(group: str) -> bool:
        return breaker_policy(settings.breaker, group).mode is not BreakerMode.SHADOW

    signals = Signals(broker, wanted, made, watched=watched, clock=clock)
    signals.condition(condition.state, broker)  # a start inside a planned window was told before anybody listened
    signals.subscribe(bus)
    return made
