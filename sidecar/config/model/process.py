"""The sidecar's own: where it listens, what it keeps and tells, how it ends."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sidecar.config.model.parts import (
    Address,
    Count,
    File,
    FileMode,
    HttpUrl,
    Part,
    PositiveSeconds,
    Seconds,
    Share,
    Uid,
)


class Listen(Part):
    """Where bots reach the sidecar."""

    unix: File | None = Field(
        None, description="Path of the Unix domain socket, at most 107 bytes; none unless set. Its folder must exist."
    )
    unix_mode: FileMode = Field("0660", description="File mode of the socket, octal, in quotes.")
    allowed_uids: tuple[Uid, ...] = Field(
        (), description="User ids that may connect to the socket; empty: whoever the file mode lets in."
    )
    tcp: Address | None = Field("127.0.0.1:8787", description="Loopback address for bots; null for none.")
    token_file: File | None = Field(
        None, description="File with a bearer token that every bot and control call must carry."
    )
    allow_orders_from_the_network: bool = Field(
        False,
        description="DANGEROUS: let tcp bind an address that is not loopback, where whoever reaches it may trade.",
    )
    max_request_bytes: Count = Field(1024 * 1024, description="Largest request body taken from a bot, in bytes.")


class Scrape(Part):
    """Where Prometheus and the probes read."""

    address: Address = Field("0.0.0.0:9464", description="Read-only listener: /metrics and health.")


class State(Part):
    """What must survive a restart."""

    path: File | None = Field(
        None,
        description="State file, for one sidecar alone; its folder must exist. Without it no order is carried and no "
        "Idempotency-Key taken.",
    )
    idempotency_seconds: PositiveSeconds = Field(
        86400, description="How long the answer to an Idempotency-Key is kept, in seconds."
    )
    order_history_seconds: PositiveSeconds = Field(
        604800, description="How long an order that has ended can still be asked for, in seconds."
    )
    recovery_seconds: Seconds = Field(
        30,
        description="At a start, orders in doubt are looked up before it says that it is ready, for at most this long, "
        "in seconds; what is still in doubt then is looked up meanwhile.",
    )


class Stop(Part):
    """What happens when the sidecar is told to stop."""

    budget_seconds: Annotated[float, Field(ge=2, le=600, allow_inf_nan=False)] = Field(
        9, description="Everything that a stop does ends within this time, in seconds, from 2 to 600."
    )
    cancel_waiting_orders: bool = Field(
        False,
        description="Take back the carried orders that have not been sent; otherwise the next start sends them on, "
        "while they have not expired.",
    )
    cancel_working_orders: bool = Field(
        False,
        description="Cancel the carried orders that the broker has in its book, but for reduce-only ones, which "
        "protect what stays open.",
    )
    close_positions: tuple[str, ...] = Field(
        (),
        description="DANGEROUS: brokers whose positions are closed at the market at every stop, a restart among them: "
        "all that the keys reach, in every account, whoever opened them. Carried orders there are taken back and "
        "cancelled, too.",
    )


class Audit(Part):
    """The audit log."""

    directory: File = Field(Path("audit"), description="Folder of the audit files; made when missing.")
    retention_days: Count = Field(30, description="Days that files are kept; 2557 is seven years.")


class Otlp(Part):
    """Where traces go."""

    endpoint: HttpUrl | None = Field(
        None, description="Collector, such as http://localhost:4318; OTEL_EXPORTER_OTLP_* work too."
    )
    protocol: Literal["http/protobuf", "grpc"] = Field("http/protobuf", description="OTLP transport.")


class Telemetry(Part):
    """Traces."""

    otlp: Otlp = Otlp()
    file: File | None = Field(
        None, description="File that spans are appended to as JSON lines; alone, or beside a collector."
    )
    sample_ratio: Share = Field(
        1.0, description="Share of plain reads that are traced; everything noteworthy always is."
    )


class Log(Part):
    """The sidecar's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON.")
    repeat_seconds: PositiveSeconds = Field(
        600, description="A condition that goes on is summarised at most this often, in seconds."
    )
