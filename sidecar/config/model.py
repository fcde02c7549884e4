"""The whole configuration: one frozen tree.

Every key has its default, unit and range here; `sidecar check` turns what pydantic finds wrong into file, key, value
and remedy. A key that is not in this tree is an error, so that a misspelt safety setting cannot be silently ignored.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from sidecar.config import forms
from sidecar.words import BreakerMode, DegradationLevel, Effect, Priority, Severity

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Status = Annotated[int, Field(ge=100, le=599)]
Uid = Annotated[int, Field(ge=0)]
Label = Annotated[str, Field(pattern=forms.LABEL)]
BrokerName = Annotated[str, Field(pattern=forms.BROKER)]
BotName = Annotated[str, Field(pattern=forms.BOT)]
FileMode = Annotated[str, Field(pattern=forms.FILE_MODE)]
RoutePath = Annotated[str, Field(pattern=forms.ROUTE), AfterValidator(forms.route)]
HeaderName = Annotated[str, Field(pattern=forms.HEADER)]
OptionalHeaderName = Annotated[str, Field(pattern=forms.OPTIONAL_HEADER)]
Address = Annotated[str, AfterValidator(forms.address), Field(json_schema_extra={"pattern": forms.ADDRESS})]
HttpUrl = Annotated[str, AfterValidator(forms.http_url), Field(json_schema_extra={"pattern": forms.HTTP_URL})]
HttpUrls = Annotated[
    tuple[HttpUrl, ...],
    BeforeValidator(forms.one_or_more),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "pattern": forms.HTTP_URL}},
                {"type": "string", "pattern": forms.HTTP_URL},
            ]
        }
    ),
]
LabelValue = Annotated[str, Field(pattern=forms.LABEL_VALUE)]
File = Annotated[Path, BeforeValidator(forms.path), Field(json_schema_extra={"minLength": 1})]
PriorityName = Annotated[
    Priority,
    BeforeValidator(forms.priority),
    WithJsonSchema({"type": "string", "enum": [priority.label for priority in Priority]}),
]


def _clash(key: str, what: str, right: str) -> PydanticCustomError:
    """Keys that are each right and do not go together; `key` is the one to change."""
    return PydanticCustomError("clash", "{key}: {what}; {right}", {"key": key, "what": what, "right": right})


class Part(BaseModel):
    """What every part of the tree shares: it is frozen, and it knows its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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


class Alertmanager(Part):
    """Where goes what cannot wait for a scrape: auth failures, orders in doubt, positions without protection."""

    url: HttpUrls = Field((), description="Base URL, such as http://alertmanager:9093; or a list, and all are told.")
    token_file: File | None = Field(None, description="File with a bearer token, where Alertmanager wants one.")
    labels: dict[Label, LabelValue] = Field(
        {},
        description="Labels that Prometheus adds to this sidecar's series, such as namespace: so that its alerts and "
        "these are one. The bot's is there already.",
    )
    runbook_url: HttpUrl | None = Field(
        None,
        description="Where the pages of alerts/runbooks are published, such as https://wiki.example.com/sidecar. Null: "
        "Alertmanager's templates know.",
    )
    refresh_seconds: PositiveSeconds = Field(60, description="What lasts is told again this often, in seconds.")


class AlertChannel(Part):
    """One way to people, without Alertmanager."""

    enabled: bool = Field(True, description="Whether it is used.")
    url: SecretStr | None = Field(
        None, description="Apprise URL (Slack, PagerDuty, Telegram, mail, webhook, ...); only from the environment."
    )
    url_file: File | None = Field(None, description="File with the Apprise URL.")
    severities: tuple[Severity, ...] | None = Field(
        None, description="What it is told of. Null: critical for a pager, critical and error for all others."
    )
    aggregate_seconds: Seconds | None = Field(
        None,
        description="Seconds that it waits for other errors, to tell all in one message; 0 is a message for each, at "
        "once. Null: 0 for a pager, 60 for all others.",
    )


class Throttle(Part):
    """Least time between two notifications about the same type of error at the same broker."""

    startup_seconds: Seconds = Field(3600, description="Start-up checks, in seconds.")
    websocket_seconds: Seconds = Field(3600, description="Streams, in seconds.")
    broker_seconds: Seconds = Field(1800, description="Brokers: breakers, bans, connections, in seconds.")
    database_seconds: Seconds = Field(3600, description="State file and audit log, in seconds.")
    orders_seconds: Seconds = Field(3600, description="Orders and positions, in seconds.")


class Alerting(Part):
    """Who is told when something goes wrong."""

    alertmanager: Alertmanager = Alertmanager()
    channels: dict[Label, AlertChannel] = Field(
        {}, description="Channels by a name of your choice, for a machine without Alertmanager."
    )
    throttle: Throttle = Throttle()
    still_seconds: PositiveSeconds = Field(
        3600, description="What the bot waits for is told again this often while it lasts, in seconds."
    )


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
            raise _clash("warn_at", f"is above wait_at, {self.wait_at:g}", f"a number from 0 to {self.wait_at:g}")
        return self


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


class Credentials(Part):
    """Keys that the sidecar itself uses at a broker. Values come from the environment alone; a file names files."""

    use: Literal["sign", "lookup"] = Field(
        "sign",
        description="sign: every request is signed here, so that bots need no keys; lookup: bots sign, and these keys, "
        "which may be read-only, only find out what became of an order.",
    )
    key: SecretStr | None = Field(None, description="API key; only from the environment.")
    key_file: File | None = Field(None, description="File with the API key.")
    secret: SecretStr | None = Field(None, description="Secret of HMAC signatures; only from the environment.")
    secret_file: File | None = Field(None, description="File with the secret of HMAC signatures.")
    private_key_file: File | None = Field(None, description="File with an Ed25519 private key in PEM, unencrypted.")
    token: SecretStr | None = Field(None, description="Bearer token (OANDA); only from the environment.")
    token_file: File | None = Field(None, description="File with the bearer token (OANDA).")
    user_name: SecretStr | None = Field(
        None, description="Name of the user whose API key it is (ProjectX); may stand here."
    )
    user_name_file: File | None = Field(None, description="File with the user's name (ProjectX).")
    add_client_ids: bool = Field(
        True, description="Where the sidecar signs: give an order without a client id one, to find it by."
    )

    @property
    def given(self) -> frozenset[str]:
        """The names of the keys that are set: values and files."""
        return frozenset(name for name in SECRET_KEYS if getattr(self, name) is not None)

    @property
    def signs(self) -> bool:
        """Whether bots' requests are signed here."""
        return self.use == "sign" and bool(self.given)


SECRET_KEYS = (
    *("key", "key_file", "secret", "secret_file", "private_key_file", "token", "token_file"),
    *("user_name", "user_name_file"),
)
"""The keys of `Credentials` that hold a secret, or name its file."""


class Queue(Part):
    """Orders that the sidecar itself carries."""

    size: Count = Field(100, description="Most orders that wait or are on their way; cancels are taken beyond it.")
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


ProfileName = Literal["binance-usdm", "binance-spot", "oanda", "projectx", "openalgo", "generic"]


class Broker(Part):
    """One upstream."""

    profile: ProfileName = Field(description="What kind of broker it is.")
    base_url: HttpUrl = Field(description="Where its API lives, such as https://fapi.binance.com.")
    stream_url: HttpUrl | None = Field(None, description="Where its HTTP streams live, when elsewhere.")
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
            raise _clash("generic", f"says nothing to the {self.profile} profile", "remove it, or use profile: generic")
        return self


class Config(Part):
    """The configuration of one sidecar."""

    bot: BotName = Field("bot", description="Name of the bot beside it, told by the metrics and in every audit line.")
    listen: Listen = Listen()
    scrape: Scrape = Scrape()
    state: State = State()
    stop: Stop = Stop()
    audit: Audit = Audit()
    telemetry: Telemetry = Telemetry()
    log: Log = Log()
    operations: Operations = Operations()
    alerting: Alerting = Alerting()
    brokers: dict[BrokerName, Broker] = Field(
        min_length=1, description="The brokers by name; bots reach each one at /<name>/."
    )

    @model_validator(mode="after")
    def _reserved_names(self) -> "Config":
        if "v1" in self.brokers:
            raise _clash("brokers.v1", "is the path of the control API", "another name for this broker")
        return self
