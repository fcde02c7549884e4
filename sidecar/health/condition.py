"""What condition a broker is in, learnt from every attempt, and who may call it meanwhile.

Maintenance is not a failure to be retried: the broker is away, and says so. Then one probe at a time looks whether it
is back, after pauses that grow, and everybody else is told at once instead of being sent. Any success ends it: traffic
that goes through is as good as a probe.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from sidecar.calls.admission import CALL, Entry
from sidecar.clock import Clock
from sidecar.health.backoff import ProbePauses
from sidecar.health.windows import Planned
from sidecar.telemetry.events import AttemptFinished, BrokerStateChanged, Bus, GateShut
from sidecar.telemetry.state import ConditionReading
from sidecar.words import BrokerState, Outcome

UNAVAILABLE: Final = 503
RESERVED_SECONDS: Final = 1.0
"""During maintenance cancels and reduce-only orders are tried, but no more often than this."""

_BUSY: Final = "throttled"
"""It is there, and asks for less: the bot's business, not a condition."""
_DOWN: Final = frozenset({Outcome.TRANSIENT, Outcome.UNKNOWN})
_SILENT: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When failures become a condition."""

    unavailable: int
    """Consecutive 503s that mean maintenance, whatever they say."""
    failures: int
    """Consecutive other failures that mean that the broker is degraded."""


def _nobody_waits() -> None:
    pass


class Condition:
    """The condition of one broker; it is the door to it (`sidecar.calls.admission.Admission`)."""

    def __init__(
        self,
        broker: str,
        thresholds: Thresholds,
        maintenance: ProbePauses,
        degraded: ProbePauses,
        *,
        planned: Planned,
        idle_seconds: float,
        bus: Bus,
        clock: Clock,
        rng: Random,
    ) -> None:
        self.broker = broker
        self._thresholds = thresholds
        self._pauses = {BrokerState.MAINTENANCE: maintenance, BrokerState.DEGRADED: degraded}
        self._planned = planned
        self._idle_seconds = idle_seconds
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._state = BrokerState.OK
        self._since = clock.now()
        self._unavailable = 0
        self._failures = 0
        self._probes = 0
        self._scheduled_at = clock.monotonic()
        self._next_probe = clock.monotonic() + idle_seconds
        self._probing = 0
        self._claims = 0
        self._said_so = False
        self._window_ends = 0.0
        self._reserved_at = -RESERVED_SECONDS
        self.on_schedule: Callable[[], None] = _nobody_waits
        """Called when the time of the next probe has changed."""
        self._plan()

    def adopt(
        self,
        thresholds: Thresholds,
        maintenance: ProbePauses,
        degraded: ProbePauses,
        *,
        planned: Planned,
        idle_seconds: float,
    ) -> None:
        """Go by other rules from now on; the next look stays when it is, unless its window was taken back."""
        self._thresholds = thresholds
        self._pauses = {BrokerState.MAINTENANCE: maintenance, BrokerState.DEGRADED: degraded}
        self._planned = planned
        self._idle_seconds = idle_seconds
        if self._clock.now() < self._window_ends and planned.ends_at(self._clock.now()) is None:
            self._window_ends = 0.0
            self._look_in(0)
        self._plan()

    @property
    def state(self) -> BrokerState:
        """The condition now."""
        return self._state

    def reading(self) -> ConditionReading:
        """The condition, for the scrape, the control API and people."""
        self._keep_to_the_plan()
        return ConditionReading(
            state=self._state,
            can_trade=self._state in {BrokerState.OK, BrokerState.DEGRADED},
            since=self._since,
            consecutive_503=self._unavailable,
            next_probe=self._clock.now() + self.probe_in(),
            planned=self._clock.now() < self._window_ends,
        )

    # Who may call

    def enter(self, *, reserved: bool) -> Entry | None:
        """Whether an attempt may be made now. One that comes when a probe is due is let in as the probe."""
        self._keep_to_the_plan()
        if self._state is not BrokerState.MAINTENANCE or (reserved and self._spares_a_try()):
            return CALL
        return self.take_probe()

    def _spares_a_try(self) -> bool:
        """Whether a way out of risk may be tried although the broker seems to be away."""
        if not self._said_so:
            return True  # it is only suspected
        if self._clock.monotonic() < self._reserved_at + RESERVED_SECONDS:
            return False
        self._reserved_at = self._clock.monotonic()
        return True

    def opens_in(self) -> float:
        """Seconds until an attempt may pass as the next probe; 0 where calls pass."""
        return self.probe_in() if self._state is BrokerState.MAINTENANCE else 0.0

    def probe_in(self) -> float:
        """Seconds until somebody should look at the broker, or at the plan; 0 when it is due."""
        self._keep_to_the_plan()
        return max(0.0, self._next_probe - self._clock.monotonic())

    def take_probe(self) -> Entry | None:
        """Claim the probe that is due; None when none is, or when somebody has it."""
        if self._probing or self._clock.monotonic() < self._next_probe:
            return None
        self._claims += 1
        self._probing = self._claims
        return Entry(probe=self._probing)

    def drop(self, entry: Entry) -> None:
        """The attempt was never made: if it was to be the probe, the next one may be, at once."""
        if entry.probe == self._probing:
            self._probing = 0

    # What attempts tell

    def observe(self, attempt: AttemptFinished) -> None:
        """An attempt at this broker ended."""
        if attempt.broker != self.broker:
            return
        outcome = attempt.outcome
        if outcome in _SILENT or attempt.reason == _BUSY:
            self._probing = 0
        elif outcome is Outcome.MAINTENANCE or (outcome in _DOWN and attempt.status == UNAVAILABLE):
            self._was_unavailable(attempt)
        elif outcome in _DOWN:
            self._failed(attempt)
        else:
            self._answered(attempt)

    def gate_shut(self, event: GateShut) -> None:
        """The broker has shut out the address; a ban is a condition, a rate limit is not."""
        if event.broker == self.broker and event.outcome is Outcome.BANNED:
            self._look_in(event.seconds)
            self._enter(BrokerState.BANNED, "the address is banned")

    def _was_unavailable(self, attempt: AttemptFinished) -> None:
        self._unavailable += 1
        self._failures = 0
        told = attempt.outcome is Outcome.MAINTENANCE
        self._said_so = self._said_so or told
        if self._state is BrokerState.MAINTENANCE:
            self._look_again(attempt)
        elif told:
            self._fall(BrokerState.MAINTENANCE, "503" if attempt.status == UNAVAILABLE else "by its own word")
        elif self._unavailable >= self._thresholds.unavailable:
            self._suspect(f"{self._unavailable} times 503")

    def _failed(self, attempt: AttemptFinished) -> None:
        self._failures += 1
        if self._state in self._pauses:
            self._look_again(attempt)
        elif self._failures >= self._thresholds.failures:
            self._fall(BrokerState.DEGRADED, f"{self._failures} failures in a row ({attempt.reason})")

    def _answered(self, attempt: AttemptFinished) -> None:
        if self._clock.now() < self._window_ends and self._began(attempt) < self._scheduled_at:
            return  # it was sent just before the planned end of service
        self._unavailable = self._failures = self._probes = self._probing = 0
        self._said_so = False
        self._window_ends = 0.0  # it is back before its time
        self._look_in(self._idle_seconds)
        self._enter(BrokerState.OK, "it answers")

    # The next look

    def _fall(self, state: BrokerState, reason: str) -> None:
        self._probes = 0
        self._schedule(state)
        self._enter(state, reason)

    def _suspect(self, reason: str) -> None:
        """It did not say that it is away; perhaps only its orders are. One look, at once, tells."""
        self._probes = 0
        self._look_in(0)
        self._enter(BrokerState.MAINTENANCE, reason)

    def _look_again(self, attempt: AttemptFinished) -> None:
        # What was under way when the pause began is no news: ten calls that fail together are one failure.
        if self._began(attempt) >= self._scheduled_at:
            self._schedule(self._state)

    def _began(self, attempt: AttemptFinished) -> float:
        """Monotonic seconds at which an attempt that ends now was begun."""
        return self._clock.monotonic() - attempt.seconds

    def _schedule(self, state: BrokerState) -> None:
        self._probes += 1
        self._probing = 0
        self._look_in(self._pauses[state].pause(self._probes, self._rng))

    def _look_in(self, seconds: float) -> None:
        """Let the next look be due in so many seconds."""
        self._scheduled_at = self._clock.monotonic()
        self._next_probe = self._scheduled_at + seconds
        self.on_schedule()

    # The plan

    def _keep_to_the_plan(self) -> None:
        """Enter a planned window when its time has come: no call needs to fail for it."""
        if self._clock.now() >= self._next_window:
            self._plan()

    def _plan(self) -> None:
        now = self._clock.now()
        self._next_window = self._planned.next_start(now) or float("inf")
        ends = self._planned.ends_at(now)
        if ends is None:
            return
        self._window_ends = ends
        self._said_so = True
        self._look_in(ends - now)
        self._enter(BrokerState.MAINTENANCE, "planned")

    def _enter(self, state: BrokerState, reason: str) -> None:
        before, self._state = self._state, state
        if before is state:
            return
        self._since = self._clock.now()
        probe_in = max(0.0, self._next_probe - self._clock.monotonic())
        self._bus.emit(BrokerStateChanged(self.broker, before, state, reason, self._unavailable, probe_in))
