"""The configured policies, resolved once at start: what an endpoint's retries and a group's breaker really use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.brokers.profile import Profile
from sidecar.config.model import Breaker, BreakerOverride, Retry, RetryOverride
from sidecar.words import BreakerMode


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How one endpoint's failed attempts are repeated."""

    attempts: int
    """Transmissions, the first included; at least 1."""
    base_seconds: float
    """Delay before the first retry."""
    factor: float
    """Growth from one delay to the next; at least 1."""
    max_seconds: float
    """Longest delay that the growth may reach; a broker's own `Retry-After` may be longer."""
    jitter: float
    """Random share added to or taken from each delay, 0 to 1."""


PRESETS: Final = {
    "standard": RetryPolicy(attempts=3, base_seconds=1.0, factor=2.0, max_seconds=30.0, jitter=0.2),
    "streaming": RetryPolicy(attempts=5, base_seconds=0.5, factor=2.0, max_seconds=30.0, jitter=0.2),
    "critical": RetryPolicy(attempts=5, base_seconds=2.0, factor=2.0, max_seconds=60.0, jitter=0.2),
    "binance": RetryPolicy(attempts=4, base_seconds=1.0, factor=2.0, max_seconds=4.0, jitter=0.2),
}
"""`binance`: three retries after 1, 2 and 4 seconds."""


def retry_policy(settings: Retry, endpoint: str, profile_preset: str) -> RetryPolicy:
    """What one endpoint uses: its own override, then the broker's settings, then the preset's figures."""
    override = settings.endpoints.get(endpoint, RetryOverride())
    preset = PRESETS[override.preset or settings.preset or profile_preset]
    # Naming a preset for an endpoint means that preset whole, not one mixed with the broker's figures.
    layers: tuple[RetryOverride, ...] = (override,) if override.preset else (override, settings)

    def pick(key: str, default: float) -> float:
        return next((value for layer in layers if (value := getattr(layer, key)) is not None), default)

    return RetryPolicy(
        attempts=int(pick("attempts", preset.attempts)),
        base_seconds=pick("base_seconds", preset.base_seconds),
        factor=pick("factor", preset.factor),
        max_seconds=pick("max_seconds", preset.max_seconds),
        jitter=pick("jitter", preset.jitter),
    )


def retry_policies(settings: Retry, profile: Profile) -> Mapping[str, RetryPolicy]:
    """What each endpoint of a profile uses, by its name."""
    preset = profile.retry_preset
    return {endpoint.name: retry_policy(settings, endpoint.name, preset) for endpoint in profile.endpoints}


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When one group's breaker opens, and how it recovers. Rates are shares from 0 to 1, times are seconds."""

    mode: BreakerMode
    failures: int
    window_seconds: float
    minimum_calls: int
    failure_rate: float
    slow_call_seconds: float
    slow_call_rate: float
    recovery_seconds: float
    recovery_max_seconds: float
    probes: int


def breaker_policy(settings: Breaker, group: str) -> BreakerPolicy:
    """What one group's breaker uses: its own override, then the broker's settings."""
    override = settings.groups.get(group, BreakerOverride())
    figures = {
        key: getattr(settings, key) if (value := getattr(override, key)) is None else value
        for key in BreakerOverride.model_fields
    }
    return BreakerPolicy(**figures)
