"""One upstream."""

from typing import Literal

from pydantic import Field, model_validator

from sidecar.config.model.calls import Breaker, Cache, Limits, Retry, Timeouts
from sidecar.config.model.credentials import Credentials
from sidecar.config.model.generic import Generic
from sidecar.config.model.health import Degradation, Maintenance, Startup
from sidecar.config.model.orders import Queue
from sidecar.config.model.parts import Count, HttpUrl, Part, PositiveSeconds, Seconds, clash

ProfileName = Literal["binance-usdm", "binance-spot", "oanda", "projectx", "openalgo", "generic"]


class Broker(Part):
    """One upstream."""

    profile: ProfileName = Field(description="What kind of broker it is.")
    base_url: HttpUrl = Field(description="Where its API lives, such as https://fapi.binance.com.")
    stream_url: HttpUrl | None = Field(
        None,
        description="Where its streams live: those that are relayed, and the one by which the sidecar learns of fills; "
        "for Binance futures https://fstream.binance.com/private. Without it fills are learnt by looking.",
    )
    deadline_seconds: PositiveSeconds = Field(
        9, description="Seconds that a call may take in all when the bot does not say (Sidecar-Deadline)."
    )
    timeouts: Timeouts = Timeouts()
    connections: Count = Field(100, description="Most connections to the broker at once.")
    max_answer_bytes: Count = Field(64 * 1024 * 1024, description="Largest answer taken from the broker, in bytes.")
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    limits: Limits = Limits()
    maintenance: Maintenance = Maintenance()
    degradation: Degradation = Degradation()
    cache: Cache = Cache()
    credentials: Credentials = Credentials()
    queue: Queue = Queue()
    startup: Startup = Startup()
    client_id_seconds: Seconds = Field(
        0,
        description="For so long an order's client id counts as an Idempotency-Key: the same order again is answered "
        "and not sent, another one is refused; 0 for never, as brokers let ids be used again. Needs state.path.",
    )
    generic: Generic | None = Field(None, description="Only for the generic profile.")

    @model_validator(mode="after")
    def _generic_is_for_generic(self) -> "Broker":
        if self.generic is not None and self.profile != "generic":
            raise clash("generic", f"says nothing to the {self.profile} profile", "remove it, or use profile: generic")
        return self
