"""What the control API takes and tells. A broker's reading is told as it is: `sidecar.telemetry.state`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sidecar.telemetry.state import BrokerReading, OperationalReading
from sidecar.words import BreakerMode, DegradationLevel

Reason = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="Why; it is put on record.")
]
Group = Annotated[str | None, Field(description="An endpoint group, such as orders; all groups when absent.")]


class _Taken(BaseModel):
    # A misspelt key must not silently widen a reset from one group to all. Inputs stay out of error texts.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class BreakerReset(_Taken):
    """Close a broker's breakers."""

    reason: Reason
    group: Group = None


class BreakerModeChange(_Taken):
    """Run a broker's breakers by their measurements, or by hand."""

    mode: BreakerMode
    reason: Reason
    group: Group = None


class Degrade(_Taken):
    """Let a broker's degradation level be at least this, whatever its own rules say."""

    level: DegradationLevel
    reason: Reason
    seconds: Annotated[
        float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False, description="How long, in seconds: a week at most.")
    ] = 3600


class Reset(_Taken):
    """Reset everything that the path names."""

    reason: Reason


class BrokerSummary(BaseModel):
    """A broker in one line."""

    name: str
    profile: str
    condition: str = Field(description="`ok`, `degraded`, `maintenance` or `banned`.")
    degradation: str = Field(
        description="`none`, `rate_limited`, `cached_data`, `read_only` or `emergency`; the last two take no new risk."
    )
    can_trade: bool = Field(description="Whether new orders are sent at all; breakers and limits may still say no.")
    gate: str = Field(description="`open`, or why nothing goes to the broker's address: `rate_limited`, `banned`.")
    breakers_not_closed: list[str] = Field(description="Endpoint groups whose breaker is not closed.")
    in_flight: int
    streams: list[str] = Field(
        [], description="Streams that are open: relayed ones, and `fills`, by which the sidecar learns of fills."
    )


class Status(BaseModel):
    """The sidecar in one look."""

    bot: str
    version: str
    uptime_seconds: float
    state: Literal["starting", "not_ready", "ready", "stopping"]
    detail: str = Field(description="Why it is not ready; empty when it is.")
    calls_in_flight: int
    brokers: list[BrokerSummary]
    operational: OperationalReading | None = Field(
        None, description="What the sidecar as a whole is doing, since when, and what the start-up checks found."
    )


class Brokers(BaseModel):
    """Every configured broker."""

    brokers: list[BrokerReading]


class FieldError(BaseModel):
    """One field at fault."""

    pointer: str = Field(description="JSON pointer (RFC 6901) of the field, as a URI fragment.")
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
