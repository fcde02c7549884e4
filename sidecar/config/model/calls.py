"""One call's way to the broker: times, retries, breakers, limits, remembered answers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sidecar.config.model.parts import Count, HeaderName, Label, Part, Positive, PositiveSeconds, Seconds, Share, clash
from sidecar.words import BreakerMode


class Timeouts(Part):
    """How long one attempt may take in each phase."""

    connect_seconds: PositiveSeconds = Field(3, description="Seconds for TCP and TLS.")
    answer_seconds: PositiveSeconds = Field(6, description="Seconds from the first byte sent to the whole answer.")
    stream_idle_seconds: PositiveSeconds = Field(30, description="Seconds of silence after which a stream is lost.")


RetryPreset = Literal["standard", "streaming", "critical", "binance"]


class RetryOverride(Part):
    """Retry settings of one endpoint; what is unset comes from the broker's."""

    preset: RetryPreset | None = Field(
        None,
        description="Named figures: standard (3 transmissions, from 1 s), streaming (5, from 0.5 s), "
        "critical (5, from 2 s), binance (4: after 1, 2 and 4 s). Null: what suits the profile.",
    )
    attempts: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="Transmissions, the first included; 1 means no retry."
    )
    base_seconds: PositiveSeconds | None = Field(None, description="Seconds before the first retry.")
    factor: Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)] | None = Field(
        None, description="Growth from one delay to the next."
    )
    max_seconds: PositiveSeconds | None = Field(
        None, description="Longest delay that the growth may reach; a broker's Retry-After may be longer."
    )
    jitter: Share | None = Field(None, description="Random share added to or taken from each delay, 0 to 1.")


class Retry(RetryOverride):
    """Retries of a broker's calls."""

    budget: Share = Field(0.2, description="Retries as a share of the last ten seconds' calls, 0 to 1.")
    budget_floor: Annotated[int, Field(ge=0)] = Field(10, description="Retries in ten seconds that are always allowed.")
    endpoints: dict[Label, RetryOverride] = Field({}, description="Overrides by endpoint, such as place_order.")


class BreakerOverride(Part):
    """Breaker settings of one endpoint group; what is unset comes from the broker's."""

    mode: BreakerMode | None = Field(None, description="auto, forced_open, forced_closed or shadow (refuses nothing).")
    failures: Count | None = Field(None, description="Consecutive failures that open it.")
    window_seconds: PositiveSeconds | None = Field(None, description="Sliding window of the two rates, in seconds.")
    minimum_calls: Count | None = Field(None, description="Calls in the window below which rates say nothing.")
    failure_rate: Share | None = Field(None, description="Share of failed calls that opens it, 0 to 1.")
    slow_call_seconds: PositiveSeconds | None = Field(None, description="Seconds from which on a call is slow.")
    slow_call_rate: Share | None = Field(None, description="Share of slow calls that opens it, 0 to 1.")
    recovery_seconds: PositiveSeconds | None = Field(None, description="Seconds of the first pause before a probe.")
    recovery_max_seconds: PositiveSeconds | None = Field(
        None, description="Seconds that the pause may grow to when probes keep failing."
    )
    probes: Count | None = Field(None, description="Calls let through at once while half open.")


class Breaker(BreakerOverride):
    """Circuit breakers of a broker, one for each endpoint group."""

    mode: BreakerMode = Field(BreakerMode.AUTO, description="auto, forced_open, forced_closed or shadow.")
    failures: Count = Field(5, description="Consecutive failures that open it.")
    window_seconds: PositiveSeconds = Field(60, description="Sliding window of the two rates, in seconds.")
    minimum_calls: Count = Field(20, description="Calls in the window below which rates say nothing.")
    failure_rate: Share = Field(0.5, description="Share of failed calls that opens it, 0 to 1.")
    slow_call_seconds: PositiveSeconds = Field(5, description="Seconds from which on a call is slow.")
    slow_call_rate: Share = Field(0.8, description="Share of slow calls that opens it, 0 to 1.")
    recovery_seconds: PositiveSeconds = Field(60, description="Seconds of the first pause before a probe.")
    recovery_max_seconds: PositiveSeconds = Field(
        900, description="Seconds that the pause may grow to when probes keep failing."
    )
    probes: Count = Field(1, description="Calls let through at once while half open.")
    groups: dict[Label, BreakerOverride] = Field({}, description="Overrides by endpoint group, such as orders.")


class CachedEndpoint(Part):
    """What is remembered of one endpoint's answers."""

    seconds: Seconds = Field(
        0, description="How long an answer is served again; 0: only reads at the same moment share one."
    )
    stale_seconds: Seconds = Field(
        60, description="How old an answer may be that stands in for one that fails, from level cached_data on."
    )


class Cache(Part):
    """Remembered answers to reads. Nothing is remembered of an endpoint that is not named here."""

    max_bytes: Count = Field(16 * 1024 * 1024, description="Most memory that the answers take, in bytes.")
    endpoints: dict[Label, CachedEndpoint] = Field({}, description="Reads by endpoint, such as exchange_info.")


class Window(Part):
    """A limit counted in windows."""

    capacity: Positive | None = Field(None, description="Units in one window; null keeps the profile's.")
    seconds: PositiveSeconds | None = Field(None, description="Length of the window in seconds; null: the profile's.")
    header: HeaderName | None = Field(None, description="Answer header that tells how much is used.")
    scope: Literal["address", "account"] | None = Field(None, description="Whom it counts; null: the profile's.")


class Bucket(Part):
    """A limit that refills steadily."""

    rate: Positive | None = Field(None, description="Calls a second; null keeps the profile's.")
    burst: Positive | None = Field(None, description="Calls at once; null keeps the profile's.")
    group: Label | None = Field(None, description="The endpoint group it counts; null for all.")


class Limits(Part):
    """Rate limits of a broker: how they are used, and where they differ from the profile's."""

    warn_at: Share = Field(0.8, description="Share of a limit from which on it is reported.")
    wait_at: Share = Field(
        0.9, description="Share from which on callers wait; the rest is for cancels and reduce-only orders."
    )
    learn: bool = Field(True, description="Take the capacities that the broker announces.")
    windows: dict[Label, Window] = Field({}, description="Windowed limits by name, such as weight_1m.")
    buckets: dict[Label, Bucket] = Field({}, description="Steady limits by name, such as global.")

    @model_validator(mode="after")
    def _warning_comes_first(self) -> "Limits":
        if self.warn_at > self.wait_at:
            raise clash("warn_at", f"is above wait_at, {self.wait_at:g}", f"a number from 0 to {self.wait_at:g}")
        return self
