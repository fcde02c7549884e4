"""Whether a failed attempt is repeated, and after how long. Pure: it reads no clock and waits for nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sidecar.brokers.profile import Verdict
from sidecar.calls.policies import RetryPolicy
from sidecar.words import Effect, Outcome, Why


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision depends on besides the policy. Times are seconds from now."""

    effect: Effect
    verdict: Verdict
    attempt: int
    """The attempt that just ended, from 1."""
    remaining: float
    """Until the caller stops waiting or the signature expires, whichever comes first."""
    pause: float
    """The shortest wait that the broker allows: its `Retry-After`, or what is left of a shut gate."""
    breaker_open: bool
    """Whether the breaker would refuse the next attempt."""


def backoff(policy: RetryPolicy, attempt: int, rng: Random) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1): exponential, capped, jittered both ways."""
    exponential = min(policy.max_seconds, policy.base_seconds * policy.factor ** (attempt - 1))
    return exponential * (1 + rng.uniform(-policy.jitter, policy.jitter))


def decide(policy: RetryPolicy, now: Situation, rng: Random, spend: Callable[[], bool]) -> float | Why | None:
    """The delay before the next attempt; or why there is none; or None when nothing is to be repeated.

    `spend` takes one retry from the budget and tells whether there was one; it is asked last, so that a retry that
    another rule forbids costs nothing.
    """
    verdict = now.verdict
    if verdict.outcome in {Outcome.OK, Outcome.REJECTED}:
        return None
    if verdict.outcome is Outcome.FATAL:
        return Why.FATAL
    if verdict.outcome is Outcome.UNKNOWN and now.effect is not Effect.READ:
        return Why.UNSAFE
    if now.attempt >= policy.attempts:
        return Why.EXHAUSTED
    if now.breaker_open:
        return Why.BREAKER_OPEN
    delay = backoff(policy, now.attempt, rng)
    if now.pause > 0:
        # Jitter may only add to a wait that the broker asked for: a retry must never be early.
        delay = max(delay, now.pause + rng.uniform(0, policy.jitter) * policy.base_seconds)
    if delay >= now.remaining:
        return Why.DEADLINE
    return delay if spend() else Why.BUDGET
