"""May we trade: maintenance, degradation, start-up checks."""

from typing import Annotated

from pydantic import AfterValidator, Field

from sidecar.config import forms
from sidecar.config.model.parts import Count, Part, PositiveSeconds, Share
from sidecar.words import DegradationLevel


class PlannedWindow(Part):
    """A time at which the broker has said that it will be away."""

    starts: Annotated[str, AfterValidator(forms.cron)] = Field(
        description='When it begins, as cron writes it: minute, hour, day, month, weekday, such as "0 17 * * FRI".'
    )
    time_zone: Annotated[str, AfterValidator(forms.time_zone)] = Field("UTC", description="Where that is the time.")
    seconds: PositiveSeconds = Field(description="How long it lasts, in seconds.")


class Maintenance(Part):
    """What is done while a broker is away, and how it is found out that it is back."""

    base_seconds: PositiveSeconds = Field(30, description="Seconds until the first probe of a broker that is away.")
    factor: Annotated[float, Field(ge=1, le=10)] = Field(2, description="Growth from one pause to the next, 1 to 10.")
    max_seconds: PositiveSeconds = Field(900, description="Longest pause between probes, in seconds.")
    jitter: Share = Field(0.3, description="Random share added to or taken from each pause, 0 to 1.")
    idle_seconds: PositiveSeconds = Field(600, description="A broker that is well and idle is looked at this often.")
    consecutive_503: Count = Field(3, description="503s in a row that mean maintenance, whatever they say.")
    consecutive_failures: Count = Field(5, description="Other failures in a row that mean that it is degraded.")
    degraded_base_seconds: PositiveSeconds = Field(5, description="Seconds until a degraded broker is looked at.")
    degraded_max_seconds: PositiveSeconds = Field(60, description="Longest pause between looks at a degraded broker.")
    windows: tuple[PlannedWindow, ...] = Field(
        (), description="Planned maintenance: it begins and ends without errors."
    )


class DegradationRules(Part):
    """Which level each trouble demands; `none` turns a rule off.

    By default no rule refuses an order: breakers and the broker's condition do that already, for as long as they must.
    """

    rate_limited: DegradationLevel = Field(
        DegradationLevel.RATE_LIMITED, description="The broker says: too many requests; or limit_share is reached."
    )
    banned: DegradationLevel = Field(DegradationLevel.RATE_LIMITED, description="The broker has banned this address.")
    errors: DegradationLevel = Field(DegradationLevel.CACHED_DATA, description="error_rate is reached.")
    degraded: DegradationLevel = Field(
        DegradationLevel.CACHED_DATA, description="The broker fails in a row: maintenance.consecutive_failures."
    )
    maintenance: DegradationLevel = Field(
        DegradationLevel.CACHED_DATA,
        description="The broker is away. Orders are refused meanwhile anyway, and pass as soon as it is back.",
    )
    breaker_open: DegradationLevel = Field(
        DegradationLevel.CACHED_DATA, description="The breaker of a group other than orders is open."
    )
    orders_breaker_open: DegradationLevel = Field(
        DegradationLevel.CACHED_DATA,
        description="The breaker of orders is open. It refuses new orders itself, and tries one after its pause.",
    )


class Degradation(Part):
    """How much of a broker is used while something is wrong."""

    rules: DegradationRules = DegradationRules()
    auto_recovery: bool = Field(True, description="Step down by itself; otherwise a person does.")
    recovery_seconds: PositiveSeconds = Field(
        60, description="Nothing may have demanded a level for so long before each step down, in seconds."
    )
    market_data_share: Share = Field(
        0.5, description="Share of each limit that market data may use from level rate_limited on; it waits beyond."
    )
    error_rate: Share = Field(0.5, description="Share of failed attempts that is trouble, 0 to 1.")
    minimum_calls: Count = Field(20, description="Attempts in the window below which the rate says nothing.")
    window_seconds: PositiveSeconds = Field(60, description="Sliding window of the rate, in seconds.")
    limit_share: Share | None = Field(
        None, description="Told use of a limit that counts as rate_limited; null: only what the broker refuses does."
    )


class Startup(Part):
    """What is checked before a broker is traded with, and how patiently."""

    attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        3, description="Rounds of checks before the sidecar counts the broker as away and waits for it."
    )
    delay_seconds: Annotated[tuple[PositiveSeconds, ...], Field(min_length=1)] = Field(
        (30, 60, 90), description="Pauses after failed rounds, in seconds; the last one holds for all further rounds."
    )
    waiting_interval_seconds: PositiveSeconds = Field(
        300, description="While the sidecar waits for the broker it is checked this often, in seconds."
    )
    check_seconds: PositiveSeconds = Field(5, description="Longest time that one check may take, in seconds.")
