"""Where alerts go: what keeps a channel from being used, and the secrets that its URL holds."""

from collections.abc import Iterator

from pydantic import SecretStr

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.senders import AppriseSender
from sidecar.config.document import Document
from sidecar.config.findings import Finding
from sidecar.config.model import AlertChannel, Alerting
from sidecar.config.report import KeyPath, Problem
from sidecar.config.secrets import SecretFileError, read_secret

_LOOSE = 0o007
_RIGHT = (
    "the path of a file that holds the Apprise URL and nothing else, such as slack://..., pagerduty://..., json://..."
)


def channel_url(channel: AlertChannel) -> SecretStr:
    """The URL of a channel in which nothing is wrong. Raises `SecretFileError`."""
    if channel.url_file is not None:
        return read_secret(channel.url_file)
    return SecretStr("") if channel.url is None else channel.url


def written_urls(document: Document) -> Iterator[Problem]:
    """Channels' URLs that stand in the configuration file itself, where backups and version control find them."""
    alerting = document.data.get("alerting")
    channels = alerting.get("channels") if isinstance(alerting, dict) else None
    for name, channel in channels.items() if isinstance(channels, dict) else ():
        path: KeyPath = ("alerting", "channels", name, "url")
        given = isinstance(channel, dict) and channel.get("url") is not None
        if given and path not in document.variables:
            wrong = "a secret does not belong in this file"
            yield document.problem(path, wrong, "url_file with the path of a file that holds it")


def alerting_errors(alerting: Alerting) -> Iterator[Finding]:
    """What keeps Alertmanager or a channel from being told."""
    if alerting.alertmanager.token_file is not None:
        try:
            read_secret(alerting.alertmanager.token_file)
        except SecretFileError as error:
            right = "the path of a file that holds the token and nothing else"
            yield Finding(("alerting", "alertmanager", "token_file"), str(error), right)
    for name, channel in alerting.channels.items():
        if channel.enabled:
            yield from _channel(("alerting", "channels", name), channel)


def alerting_warnings(alerting: Alerting) -> Iterator[Finding]:
    """Files of URLs that are open to everybody."""
    for name, channel in alerting.channels.items():
        file = channel.url_file
        if channel.enabled and file is not None and file.stat().st_mode & _LOOSE:
            path: KeyPath = ("alerting", "channels", name, "url_file")
            yield Finding(path, "every user of this machine can read the file", f"chmod 600 {file}")


def _channel(path: KeyPath, channel: AlertChannel) -> Iterator[Finding]:
    if channel.url is None and channel.url_file is None:
        yield Finding(path, "the URL is missing", f"url_file with {_RIGHT}")
        return
    if channel.url is not None and channel.url_file is not None:
        yield Finding((*path, "url_file"), "is given beside url", "one of the two", ((*path, "url"),))
        return
    key = "url" if channel.url_file is None else "url_file"
    try:
        AppriseSender(channel_url(channel))
    except SecretFileError as error:
        yield Finding((*path, key), str(error), _RIGHT)
    except ChannelError as error:
        yield Finding((*path, key), f"holds what {error}", _RIGHT)
