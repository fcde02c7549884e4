"""Orders that the sidecar carries, and operations of several."""

from typing import Annotated

from pydantic import Field

from sidecar.config.model.parts import Count, Part, Positive, PositiveSeconds


class Queue(Part):
    """Orders that the sidecar itself carries."""

    size: Count = Field(
        100,
        description="Most orders that wait or are on their way; what reduces risk, cancels too, is taken beyond it, up "
        "to as many again and 1000 at least.",
    )
    market_ttl_seconds: PositiveSeconds = Field(
        300, description="A market order that could not be sent for this long is not sent any more, in seconds."
    )
    ttl_seconds: PositiveSeconds = Field(3600, description="The same for orders with a price, and for cancels.")
    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="Times that an order is taken up, each with the retries of a call, before it is given up."
    )
    drain_per_second: Positive = Field(10, description="Orders a second that are sent on at most.")
    concurrency: Count = Field(4, description="Orders under way at once; those of one instrument follow one another.")
    doubt_seconds: PositiveSeconds = Field(
        300,
        description="An order in doubt that the broker does not know of in all looks of this long is given up as dead, "
        "for a person to look at; it is never sent again.",
    )


class Operations(Part):
    """Operations of several orders that belong together: brackets, OCO pairs, closes, bulk cancels, modifications."""

    size: Count = Field(200, description="Most operations under way at once.")
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="Times that an order of an operation is tried before the operation is undone."
    )
    base_seconds: PositiveSeconds = Field(
        1, description="Pause before the second attempt, in seconds; it doubles each time."
    )
    fill_seconds: PositiveSeconds = Field(
        60, description="What has not filled of a bracket's entry after so long is cancelled, where it names no other."
    )
    protect_seconds: PositiveSeconds = Field(
        10, description="A position that has had no working stop for so long calls a person, in seconds."
    )
    look_seconds: PositiveSeconds = Field(
        5, description="Longest pause between two looks at an order that may fill, in seconds."
    )
    stale_seconds: PositiveSeconds = Field(
        60,
        description="What was asked for and not begun, as the sidecar was down, is not begun any more after so long.",
    )
    history_seconds: PositiveSeconds = Field(
        604800, description="How long an operation that has ended can still be asked for, in seconds."
    )
