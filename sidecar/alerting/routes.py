"""Who is told of what: the configuration's channels with their defaults filled in."""

from collections.abc import Iterator
from dataclasses import dataclass

from sidecar.alerting.channel import Manner
from sidecar.alerting.senders import AppriseSender
from sidecar.alerting.types import Topic
from sidecar.config.alerting import channel_url
from sidecar.config.model import AlertChannel, Throttle
from sidecar.config.model import Alerting as Settings
from sidecar.words import Severity

PAGER_SEVERITIES = (Severity.CRITICAL,)
OTHER_SEVERITIES = (Severity.CRITICAL, Severity.ERROR)
AGGREGATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Contact:
    """A configured channel."""

    name: str
    settings: AlertChannel
    sender: AppriseSender


def contacts(settings: Settings) -> Iterator[Contact]:
    """The channels that are used. Raises `SecretFileError` and `ChannelError`."""
    for name, channel in settings.channels.items():
        if channel.enabled:
            yield Contact(name, channel, AppriseSender(channel_url(channel)))


def manner(contact: Contact, settings: Settings) -> Manner:
    """How a channel is spoken to."""
    pages = contact.sender.pages
    severities, wait = contact.settings.severities, contact.settings.aggregate_seconds
    if severities is None:
        severities = PAGER_SEVERITIES if pages else OTHER_SEVERITIES
    if wait is None:
        wait = 0.0 if pages else AGGREGATE_SECONDS
    return Manner(frozenset(severities), wait, pauses(settings.throttle), settings.still_seconds)


def pauses(throttle: Throttle) -> dict[Topic, float]:
    """The least time between two notifications, by topic."""
    return {topic: float(getattr(throttle, f"{topic}_seconds")) for topic in Topic}
