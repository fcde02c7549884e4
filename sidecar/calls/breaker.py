"""A circuit breaker: it stops calling an endpoint group that fails, and finds out gently when it works again.

Closed, it counts. It opens on consecutive failures, or on the share of failed or slow calls in a sliding window.
Open, it refuses until a pause is over, then lets a few probes through (half open); they close it, or open it again
for longer.

A cancel or a reduce-only order is never refused: it is tried even while the breaker is open, and counts as a probe when
it succeeds. A person who forces a breaker open stops new risk, not the way out of it.
"""

from enum import Enum
from random import Random
from typing import Final

from sidecar.brokers.profile import Verdict
from sidecar.calls.limiter import told_pause
from sidecar.calls.policies import BreakerPolicy
from sidecar.calls.sliding import SlidingCounts
from sidecar.clock import Clock
from sidecar.telemetry.events import BreakerTransition, Bus
from sidecar.telemetry.state import BreakerReading
from sidecar.words import BreakerMode, BreakerState, Outcome

FAILURES: Final = frozenset({Outcome.TRANSIENT, Outcome.UNKNOWN, Outcome.MAINTENANCE})
"""The outcomes that say: the broker does not work."""
NEUTRAL: Final = frozenset({Outcome.RATE_LIMITED, Outcome.BANNED})
"""The outcomes that say nothing of its health: the limiter's business. All others say that it answers."""
GROWTH: Final = 2.0
"""A failed probe makes the next pause this much longer, up to the policy's maximum."""
JITTER: Final = 0.1
"""Up to this share is added to a pause, so that a fleet does not probe in step."""

_ALL, _FAILED, _SLOW = 0, 1, 2


class Permit(Enum):
    """The leave to make one attempt; it goes back with `record` or `release`."""

    NORMAL = "normal"
    PROBE = "probe"
    RESERVED = "reserved"
    """A cancel or reduce-only order, let through a breaker that is not closed."""
    UNCOUNTED = "uncounted"
    """Let through against the breaker's own judgement: forced closed, or only watching."""


class Breaker:
    """The breaker of one broker's endpoint group."""

    def __init__(self, broker: str, group: str, policy: BreakerPolicy, *, bus: Bus, clock: Clock, rng: Random) -> None:
        self._broker = broker
        self._group = group
        self._policy = policy
        self._mode = policy.mode
        self._bus = bus
        self._clock = clock
        self._rng = rng
        self._state = BreakerState.CLOSED
        self._since = clock.now()
        self._counts = SlidingCounts(3, policy.window_seconds)
        self._consecutive = 0
        self._pause = policy.recovery_seconds
        self._retry_at = 0.0
        self._probing = 0
        self._probes_ok = 0

    @property
    def state(self) -> BreakerState:
        """What it does with the next call: the measured state, or the forced one."""
        if self._mode is BreakerMode.FORCED_OPEN:
            return BreakerState.FORCED_OPEN
        if self._mode is BreakerMode.FORCED_CLOSED:
            return BreakerState.FORCED_CLOSED
        return self._state

    def admit(self, *, reserved: bool) -> Permit | None:
        """Leave for one attempt, or None. `reserved` is for cancels and reduce-only orders."""
        if self._mode is BreakerMode.FORCED_CLOSED:
            return Permit.UNCOUNTED
        if self._mode is BreakerMode.FORCED_OPEN:
            return Permit.UNCOUNTED if reserved else None
        if self._state is BreakerState.CLOSED:
            return Permit.NORMAL
        if self._state is BreakerState.OPEN and self._clock.monotonic() >= self._retry_at:
            self._enter(BreakerState.HALF_OPEN, "recovery")
        if self._state is BreakerState.HALF_OPEN and self._probing < self._policy.probes:
            self._probing += 1
            return Permit.PROBE
        if reserved:
            return Permit.RESERVED
        return Permit.UNCOUNTED if self._mode is BreakerMode.SHADOW else None

    def refuses(self, *, reserved: bool) -> bool:
        """Whether `admit` would refuse now; changes nothing."""
        if reserved or self._mode in {BreakerMode.FORCED_CLOSED, BreakerMode.SHADOW}:
            return False
        if self._mode is BreakerMode.FORCED_OPEN:
            return True
        if self._state is BreakerState.OPEN:
            return self._clock.monotonic() < self._retry_at
        return self._state is BreakerState.HALF_OPEN and self._probing >= self._policy.probes

    def retry_in(self) -> float | None:
        """Seconds until a probe may pass; None when only a person can say."""
        if self._mode is BreakerMode.FORCED_OPEN:
            return None
        return max(0.0, self._retry_at - self._clock.monotonic()) if self._state is BreakerState.OPEN else 0.0

    def release(self, permit: Permit) -> None:
        """Give a permit back whose attempt was never made or told nothing."""
        if permit is Permit.PROBE and self._probing:
            self._probing -= 1

    def record(self, permit: Permit, verdict: Verdict, seconds: float) -> None:
        """An attempt ended after `seconds`; the verdict may change the state."""
        self.release(permit)
        if permit is Permit.UNCOUNTED or verdict.outcome in NEUTRAL:
            return
        failed = verdict.outcome in FAILURES
        if permit is Permit.NORMAL:
            self._count(failed, seconds, verdict)
        elif permit is Permit.PROBE and self._state is BreakerState.HALF_OPEN:
            self._probe_ended(failed or seconds >= self._policy.slow_call_seconds, verdict)
        elif permit is Permit.RESERVED and not failed and self._state is not BreakerState.CLOSED:
            # Its failure teaches nothing new: a bot that keeps trying to cancel must not keep the breaker open.
            self._probe_ended(failed, verdict)

    def reset(self, reason: str) -> None:
        """Close it by hand and forget what it counted; `reason` goes into the audit log."""
        self._pause = self._policy.recovery_seconds
        self._enter(BreakerState.CLOSED, "manual", note=reason)

    def set_mode(self, mode: BreakerMode, reason: str) -> None:
        """Run it in another mode from now on; `reason` goes into the audit log."""
        before = self.state
        self._mode = mode
        self._tell(before, self.state, "manual", note=reason)

    def adopt(self, policy: BreakerPolicy, reason: str) -> None:
        """Go by another policy from now on; a breaker that is open stays so until its pause is over."""
        before, self._policy = self._policy, policy
        if policy.window_seconds != before.window_seconds:
            self._counts = SlidingCounts(3, policy.window_seconds)
        if self._state is BreakerState.CLOSED:
            self._pause = policy.recovery_seconds
        if policy.mode is not before.mode:
            self.set_mode(policy.mode, reason)

    def reading(self) -> BreakerReading:
        """How it stands now."""
        now = self._clock.monotonic()
        calls = self._counts.sum(now, _ALL)
        retry_in = self.retry_in()
        opened = self.state is BreakerState.OPEN and retry_in is not None
        return BreakerReading(
            group=self._group,
            state=self.state,
            mode=self._mode,
            since=self._since,
            consecutive_failures=self._consecutive,
            failure_rate=self._counts.sum(now, _FAILED) / calls if calls else 0.0,
            slow_rate=self._counts.sum(now, _SLOW) / calls if calls else 0.0,
            retry_at=self._clock.now() + (retry_in or 0.0) if opened else None,
        )

    def _count(self, failed: bool, seconds: float, verdict: Verdict) -> None:
        now = self._clock.monotonic()
        self._counts.add(now, _ALL)
        if seconds >= self._policy.slow_call_seconds:
            self._counts.add(now, _SLOW)
        if failed:
            self._counts.add(now, _FAILED)
            self._consecutive += 1
        else:
            self._consecutive = 0
        if self._state is BreakerState.CLOSED and (cause := self._cause(now)):
            self._open(cause, verdict)

    def _cause(self, now: float) -> str:
        if self._consecutive >= self._policy.failures:
            return "failures"
        calls = self._counts.sum(now, _ALL)
        if calls < self._policy.minimum_calls:
            return ""
        if self._counts.sum(now, _FAILED) >= self._policy.failure_rate * calls and self._consecutive:
            return "failure_rate"
        return "slow_calls" if self._counts.sum(now, _SLOW) >= self._policy.slow_call_rate * calls else ""

    def _probe_ended(self, failed: bool, verdict: Verdict) -> None:
        if failed:
            self._pause = min(self._policy.recovery_max_seconds, self._pause * GROWTH)
            self._open("probe_failed", verdict)
            return
        self._probes_ok += 1
        if self._probes_ok >= self._policy.probes:
            self._pause = self._policy.recovery_seconds
            self._enter(BreakerState.CLOSED, "probe_ok")

    def _open(self, reason: str, verdict: Verdict) -> None:
        pause = max(self._pause, told_pause(verdict, self._clock.now()) or 0.0) * (1 + self._rng.uniform(0, JITTER))
        self._retry_at = self._clock.monotonic() + pause
        self._enter(BreakerState.OPEN, reason, retry_in=pause)

    def _enter(self, state: BreakerState, reason: str, retry_in: float | None = None, note: str = "") -> None:
        before = self.state
        self._state = state
        self._probes_ok = 0
        if state is not BreakerState.HALF_OPEN:
            self._consecutive = 0
            self._counts.clear()
        self._tell(before, self.state, reason, retry_in=retry_in, note=note)

    def _tell(
        self, before: BreakerState, after: BreakerState, reason: str, retry_in: float | None = None, note: str = ""
    ) -> None:
        if before is not after:
            self._since = self._clock.now()
        if before is not after or note:
            self._bus.emit(BreakerTransition(self._broker, self._group, before, after, reason, retry_in, note))
