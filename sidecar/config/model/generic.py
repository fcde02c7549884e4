"""What the `generic` profile is told about its broker."""

from typing import Annotated, Literal

from pydantic import Field

from sidecar.config.model.parts import Label, OptionalHeaderName, Part, PriorityName, RoutePath, Status
from sidecar.words import Effect, Priority


class Route(Part):
    """An endpoint of a broker without a profile of its own."""

    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"] = Field("GET", description="HTTP method.")
    path: RoutePath = Field(description="Path pattern; * stands for one segment, ** for the rest.")
    group: Label = Field("accounts", description="Breaker and bucket that it belongs to.")
    effect: Effect = Field(Effect.OTHER, description="What it does to the account; only reads are repeated freely.")
    priority: PriorityName = Field(
        Priority.ACCOUNT,
        description="Who goes first when a limit makes calls wait.",
        json_schema_extra={"default": Priority.ACCOUNT.label},
    )
    cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(1, description="Units it takes of each window.")
    stream: bool = Field(False, description="Whether the answer never ends.")


class Headers(Part):
    """Header names by which a broker tells its limit."""

    used: OptionalHeaderName = Field("", description="Header that tells how much is used.")
    remaining: OptionalHeaderName = Field("", description="Header that tells how much is left.")
    limit: OptionalHeaderName = Field("", description="Header that tells how much there is.")
    reset: OptionalHeaderName = Field(
        "", description="Header with the reset: Unix seconds or milliseconds, or seconds from now."
    )


class Generic(Part):
    """What the `generic` profile is told about its broker."""

    endpoints: dict[Label, Route] = Field({}, description="What method and path mean, by the name of your choice.")
    probe: RoutePath | None = Field(
        None, description="Path of a cheap GET that tells whether the broker is there; null for none."
    )
    rate_limit_headers: Headers = Headers(
        remaining="X-RateLimit-Remaining", limit="X-RateLimit-Limit", reset="X-RateLimit-Reset"
    )
    rate_limited_statuses: tuple[Status, ...] = Field((429,), description="Statuses that mean: too many requests.")
    banned_statuses: tuple[Status, ...] = Field((418,), description="Statuses that mean: the address is banned.")
    maintenance_statuses: tuple[Status, ...] = Field((), description="Statuses that mean: planned maintenance.")
    transient_statuses: tuple[Status, ...] = Field(
        (), description="Statuses by which the broker says that nothing was executed."
    )
