"""Messages on their way to Slack, PagerDuty, Telegram, mail, webhooks and all else that Apprise knows.

Apprise blocks, so that it works on threads; it is loaded only by who has a channel. A channel's URL holds its secrets:
it is shown to Apprise alone, and nothing that Apprise says of it gets out of here unread.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import SecretStr

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.messages import Message
from sidecar.telemetry.audit.clean import REDACTED, clean_text, without_queries
from sidecar.words import Severity

if TYPE_CHECKING:
    from apprise import NotifyBase, NotifyType

PAGERS: Final = frozenset({"pagerduty", "opsgenie", "pagertree", "signl4", "splunk", "victorops"})
"""The schemes of services that wake people."""
_PAGERDUTY: Final = "pagerduty"
_SHORTEST: Final = 4
"""Shorter pieces of a URL are words, not secrets."""
_BETWEEN: Final = re.compile(r"[/:@?&=,+\s]+")


class AppriseSender:
    """Sends to one Apprise URL."""

    def __init__(self, url: SecretStr) -> None:
        """Raises `ChannelError`."""
        self._url = url
        self._plugin(None)

    @property
    def pages(self) -> bool:
        """Whether the service wakes people."""
        return scheme(self._url) in PAGERS

    async def send(self, message: Message) -> str:
        """Deliver a message; returns why it could not be delivered, or nothing."""
        return await aside(lambda: self._send(message))

    def _send(self, message: Message) -> str:
        from apprise import NotifyFormat  # noqa: PLC0415 - loaded only by who has a channel

        with _overheard() as said:
            try:
                done = self._plugin(message.key).notify(
                    body=message.body,
                    title=message.title,
                    notify_type=_type(message),
                    body_format=NotifyFormat.TEXT,
                )
            except Exception as failure:  # noqa: BLE001 - over a hundred services; none may end the channel
                return self._without_secrets(f"{type(failure).__name__}: {failure}")
        if done:
            return ""
        return self._without_secrets("; ".join(said)) or "the service did not take it"

    def _plugin(self, key: str | None) -> "NotifyBase":
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - loaded only by who has a channel

        url = self._url.get_secret_value()
        if key is not None and scheme(self._url) == _PAGERDUTY:
            # One incident for each error, which its end resolves.
            url += f"{'&' if '?' in url else '?'}action=map&dedup={key}"
        # No pictures: they would come from another project's pages.
        asset = AppriseAsset(
            app_id="broker-sidecar", app_desc="broker-sidecar", image_url_mask="", image_url_logo="", async_mode=False
        )
        with _overheard():
            found = Apprise.instantiate(url, asset=asset)
        if found is None:
            raise ChannelError("is no URL that a notification service is known by")
        return found

    def _without_secrets(self, text: str) -> str:
        for piece in sorted(_pieces(self._url), key=len, reverse=True):
            text = text.replace(piece, REDACTED)
        return clean_text(without_queries(text))


async def aside(work: Callable[[], str]) -> str:
    """Do blocking work on a thread that nobody waits for at a stop, as the pools of the standard library would."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()

    def settle(result: str) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = work()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="notify", daemon=True).start()
    return await done


def scheme(url: SecretStr) -> str:
    """Which service a URL is for."""
    return url.get_secret_value().partition(":")[0].lower()


def _pieces(url: SecretStr) -> set[str]:
    whole = url.get_secret_value()
    pieces = {piece for form in (whole, unquote(whole)) for piece in _BETWEEN.split(form)}
    return {piece for piece in pieces if len(piece) >= _SHORTEST}


def _type(message: Message) -> "NotifyType":
    from apprise import NotifyType  # noqa: PLC0415 - loaded only by who has a channel

    if message.over:
        return NotifyType.SUCCESS
    return {
        Severity.CRITICAL: NotifyType.FAILURE,
        Severity.ERROR: NotifyType.FAILURE,
        Severity.WARNING: NotifyType.WARNING,
        Severity.INFO: NotifyType.INFO,
    }[message.severity]


class _Ear(logging.Handler):
    """Hears what Apprise says on this thread."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._hear(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What Apprise says meanwhile; none of it reaches the log, where its secrets would stand."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    said: list[str] = []
    ear = _Ear(said.append)
    logger.addHandler(ear)
    try:
        yield said
    finally:
        logger.removeHandler(ear)
