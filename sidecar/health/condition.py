"""What condition a broker is in, learnt from every attempt, and who may call it meanwhile.

Maintenance is not a failure to be retried: the broker is away, and says so. Then one probe at a time looks whether it is
back, after pauses that grow, and everybody else is told at once instead of being sent. Any success ends it: traffic that
goes through is as good as a probe.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from sidecar.clock import Clock
from sidecar.health.backoff import ProbePauses
from sidecar.telemetry.events import AttemptFinished, BrokerStateChanged, Bus, GateShut
from sidecar.telemetry.state import ConditionReading
from sidecar.words import BrokerState, Outcome

UNAVAILABLE: Final = 503
RESERVED_SECONDS: Final = 1.0
"""During maintenance cancels and reduce-only orders are tried, but no more often than this."""

_DOWN: Final = frozenset({Outcome.TRANSIENT, Outcome.UNKNOWN})
_SILENT: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When failures become a condition."""

    unavailable: int
    """Consecutive 503s that mean maintenance, whatever they say."""
    failures: int
    """Consecutive other failures that mean that the broker is degraded."""


class Condition:
    """The condition of one broker."""

    def __init__(
        self,
        broker: str,
        thresholds: Thresholds,
        maintenance: ProbePauses,
        degraded: ProbePauses,
        *,
        idle_seconds: float,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._broker = broker
        self._thresholds = thresholds
        self._pauses = {BrokerState.MAINTENANCE: maintenance, BrokerState.DEGRADED: degraded}
        self._idle_seconds = idle_seconds
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._state = BrokerState.OK
        self._since = clock.now()
        self._unavailable = 0
        self._failures = 0
        self._probes = 0
        self._looked_at = clock.now()
        self._next_probe = clock.now() + idle_seconds
        self._probing = False
        self._banned_until = 0.0
        self._reserved_at = -RESERVED_SECONDS

    @property
    def state(self) -> BrokerState:
        """The condition now."""
        return self._state

    def reading(self) -> ConditionReading:
        """The condition, for the scrape, the control API and people."""
        return ConditionReading(
            state=self._state,
            can_trade=self._state in {BrokerState.OK, BrokerState.DEGRADED},
            since=self._since,
            consecutive_503=self._unavailable,
            next_probe=self._next_probe,
        )

    # Who may call

    def admits(self, *, reserved: bool) -> bool:
        """Whether a call may be sent now. A call that comes when a probe is due is let through as the probe."""
        if self._state is not BrokerState.MAINTENANCE:
            return True
        if reserved and self._clock.monotonic() >= self._reserved_at + RESERVED_SECONDS:
            self._reserved_at = self._clock.monotonic()
            return True
        return self.take_probe()

    def opens_in(self) -> float:
        """Seconds until a call may pass as the next probe; 0 where calls pass."""
        return max(0.0, self._next_probe - self._clock.now()) if self._state is BrokerState.MAINTENANCE else 0.0

    def probe_in(self) -> float:
        """Seconds until somebody should look at the broker; 0 when it is due."""
        return max(0.0, self._next_probe - self._clock.now())

    def take_probe(self) -> bool:
        """Claim the probe that is due; False when none is, or when somebody has it."""
        if self._probing or self._clock.now() < self._next_probe:
            return False
        self._probing = True
        return True

    def drop_probe(self) -> None:
        """The claimed probe told nothing: it was never sent."""
        self._probing = False

    # What attempts tell

    def observe(self, attempt: AttemptFinished) -> None:
        """An attempt at this broker ended."""
        if attempt.broker != self._broker:
            return
        outcome = attempt.outcome
        if outcome in _SILENT:
            self._probing = False
        elif outcome is Outcome.MAINTENANCE or (outcome in _DOWN and attempt.status == UNAVAILABLE):
            self._was_unavailable(attempt)
        elif outcome in _DOWN:
            self._failed(attempt)
        else:
            self._answered()

    def gate_shut(self, event: GateShut) -> None:
        """The broker has shut out the address; a ban is a condition, a rate limit is not."""
        if event.broker != self._broker or event.outcome is not Outcome.BANNED:
            return
        self._banned_until = event.until
        self._next_probe = event.until
        self._enter(BrokerState.BANNED, "the address is banned")

    def _was_unavailable(self, attempt: AttemptFinished) -> None:
        self._unavailable += 1
        self._failures = 0
        told = attempt.outcome is Outcome.MAINTENANCE
        if self._state is BrokerState.MAINTENANCE:
            self._look_again(attempt)
        elif told or self._unavailable >= self._thresholds.unavailable:
            self._fall(BrokerState.MAINTENANCE, "it says that it is under maintenance" if told else "503")

    def _failed(self, attempt: AttemptFinished) -> None:
        self._failures += 1
        if self._state in self._pauses:
            self._look_again(attempt)
        elif self._state is BrokerState.OK and self._failures >= self._thresholds.failures:
            self._fall(BrokerState.DEGRADED, f"{self._failures} failures in a row ({attempt.reason})")

    def _answered(self) -> None:
        self._unavailable = self._failures = self._probes = 0
        self._probing = False
        self._next_probe = self._clock.now() + self._idle_seconds
        self._enter(BrokerState.OK, "it answers again")

    def _fall(self, state: BrokerState, reason: str) -> None:
        self._probes = 0
        self._schedule(state)
        self._enter(state, reason)

    def _look_again(self, attempt: AttemptFinished) -> None:
        # What was under way when the pause began is no news: ten calls that fail together are one failure.
        if attempt.started >= self._looked_at:
            self._schedule(self._state)

    def _schedule(self, state: BrokerState) -> None:
        self._probes += 1
        self._probing = False
        self._looked_at = self._clock.now()
        self._next_probe = self._looked_at + self._pauses[state].pause(self._probes, self._rng)

    def _enter(self, state: BrokerState, reason: str) -> None:
        before, self._state = self._state, state
        if before is state:
            return
        self._since = self._clock.now()
        self._bus.emit(
            BrokerStateChanged(self._broker, before, state, reason, self._unavailable, self.probe_in())
        )
