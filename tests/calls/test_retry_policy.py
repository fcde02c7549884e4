"""Retry decisions hold as properties: never early, never late, never unsafe, never over budget."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.brokers.profile import Verdict
from sidecar.calls.policies import PRESETS, RetryPolicy, retry_policy
from sidecar.calls.retry import Situation, backoff, decide
from sidecar.config.model import Retry, RetryOverride
from sidecar.words import Effect, Outcome, Why

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 20),
    base_seconds=st.floats(0.001, 60),
    factor=st.floats(1, 10),
    max_seconds=st.floats(0.001, 900),
    jitter=st.floats(0, 1),
)
situations = st.builds(
    Situation,
    effect=st.sampled_from(Effect),
    verdict=st.builds(Verdict, outcome=st.sampled_from(Outcome)),
    attempt=st.integers(1, 25),
    remaining=st.floats(-10, 1000),
    pause=st.floats(0, 1000),
    breaker_open=st.booleans(),
)
seeds = st.integers().map(Random)


def situation(outcome: Outcome = Outcome.TRANSIENT, effect: Effect = Effect.READ, **changes: object) -> Situation:
    usual: dict[str, object] = {"attempt": 1, "remaining": 60.0, "pause": 0.0, "breaker_open": False}
    return Situation(effect=effect, verdict=Verdict(outcome), **(usual | changes))  # type: ignore[arg-type] # a table of overrides


@given(policies, situations, seeds)
def test_a_retry_never_comes_before_the_pause_that_the_broker_asked_for(
    policy: RetryPolicy, now: Situation, rng: Random
) -> None:
    decision = decide(policy, now, rng, lambda: True)
    if isinstance(decision, float):
        assert decision >= now.pause


@given(policies, situations, seeds)
def test_a_retry_never_starts_at_or_after_the_deadline(policy: RetryPolicy, now: Situation, rng: Random) -> None:
    decision = decide(policy, now, rng, lambda: True)
    if isinstance(decision, float):
        assert decision < now.remaining


@given(policies, situations, seeds)
def test_what_may_have_been_executed_is_never_resent(policy: RetryPolicy, now: Situation, rng: Random) -> None:
    decision = decide(policy, now, rng, lambda: True)
    if now.verdict.outcome is Outcome.UNKNOWN and now.effect is not Effect.READ:
        assert decision is Why.UNSAFE


@given(policies, situations, seeds)
def test_attempts_never_exceed_the_policy(policy: RetryPolicy, now: Situation, rng: Random) -> None:
    if now.attempt >= policy.attempts:
        assert not isinstance(decide(policy, now, rng, lambda: True), float)


@given(policies, situations, seeds)
def test_a_retry_that_another_rule_forbids_costs_no_budget(policy: RetryPolicy, now: Situation, rng: Random) -> None:
    spent = 0

    def spend() -> bool:
        nonlocal spent
        spent += 1
        return True

    decision = decide(policy, now, rng, spend)
    assert spent == isinstance(decision, float)


@given(policies, st.integers(1, 50), seeds)
def test_the_backoff_stays_within_its_jitter_of_the_exponential(policy: RetryPolicy, attempt: int, rng: Random) -> None:
    exact = min(policy.max_seconds, policy.base_seconds * policy.factor ** (attempt - 1))
    delay = backoff(policy, attempt, rng)
    assert exact * (1 - policy.jitter) - 1e-9 <= delay <= exact * (1 + policy.jitter) + 1e-9


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (situation(Outcome.OK), None),
        (situation(Outcome.REJECTED), None),
        (situation(Outcome.FATAL), Why.FATAL),
        (situation(Outcome.UNKNOWN, Effect.OPENS_RISK), Why.UNSAFE),
        (situation(Outcome.UNKNOWN, Effect.REDUCES_RISK), Why.UNSAFE),
        (situation(Outcome.UNKNOWN, Effect.OTHER), Why.UNSAFE),
        (situation(attempt=3), Why.EXHAUSTED),
        (situation(breaker_open=True), Why.BREAKER_OPEN),
        (situation(remaining=0.5), Why.DEADLINE),
        (situation(Outcome.RATE_LIMITED, pause=61.0), Why.DEADLINE),
    ],
    ids=lambda value: str(value) if isinstance(value, Why) else "",
)
def test_each_reason_to_stop_is_named(now: Situation, expected: Why | None) -> None:
    assert decide(PRESETS["standard"], now, Random(1), lambda: True) is expected


def test_an_empty_budget_denies_the_retry() -> None:
    assert decide(PRESETS["standard"], situation(), Random(1), lambda: False) is Why.BUDGET


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.MAINTENANCE, Outcome.RATE_LIMITED, Outcome.BANNED])
def test_what_was_definitely_not_executed_is_repeated_whatever_its_effect(outcome: Outcome, effect: Effect) -> None:
    assert isinstance(decide(PRESETS["standard"], situation(outcome, effect), Random(1), lambda: True), float)


def test_the_binance_preset_waits_one_two_and_four_seconds() -> None:
    policy = RetryPolicy(**{**{f: getattr(PRESETS["binance"], f) for f in PRESETS["binance"].__slots__}, "jitter": 0.0})
    assert [backoff(policy, attempt, Random(1)) for attempt in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert policy.attempts == 4


def test_an_endpoint_override_wins_over_the_broker_and_the_preset() -> None:
    settings = Retry(attempts=7, base_seconds=3, endpoints={"place_order": RetryOverride(attempts=1)})
    assert retry_policy(settings, "place_order", "standard").attempts == 1
    assert retry_policy(settings, "place_order", "standard").base_seconds == 3
    assert retry_policy(settings, "get_order", "standard").attempts == 7


def test_naming_a_preset_for_an_endpoint_takes_that_preset_whole() -> None:
    settings = Retry(attempts=7, endpoints={"place_order": RetryOverride(preset="critical")})
    assert retry_policy(settings, "place_order", "standard") == PRESETS["critical"]


def test_the_profile_preset_applies_where_nothing_is_configured() -> None:
    assert retry_policy(Retry(), "get_order", "binance") == PRESETS["binance"]
