"""Who is told when something goes wrong."""

from pydantic import Field, SecretStr

from sidecar.config.model.parts import File, HttpUrl, HttpUrls, Label, LabelValue, Part, PositiveSeconds, Seconds
from sidecar.words import Severity


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
