"""Who is told of alerts: listeners that stand in for Slack, PagerDuty, Telegram, a webhook and a mail server."""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from tests.alerting.mail import mailbox

TOLD: Final = "who was told what in the night"
CHATS: Final = ("slack", "telegram", "webhook", "email")
ANSWERS: Final = {
    "slack": (200, b"ok"),
    "pagerduty": (202, b"{}"),
    "telegram": (200, b'{"ok": true, "result": {"message_id": 1, "chat": {"id": 1, "type": "group"}}}'),
    "webhook": (200, b""),
    "watchdog": (200, b""),
}


class Sinks:
    """What each was told, as it came: JSON bodies by the first word of the path, and letters."""

    def __init__(self) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = {name: [] for name in ANSWERS}
        self.letters: list[EmailMessage] = []
        self.mail_port = 0
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                name = self.path.split("/")[1]
                heard[name].append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, answer = ANSWERS[name]
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing: what was heard is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Self]:
        """Listen until the block ends."""
        sinks = cls()
        thread = threading.Thread(target=sinks._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with mailbox(sinks.letters.append) as sinks.mail_port:
                yield sinks
        finally:
            sinks._server.shutdown()
            thread.join()
            sinks._server.server_close()

    def titles(self, channel: str, bot: str = "") -> list[str]:
        """The first line of each message to a channel, as a phone shows it; those about one bot, or all."""
        lines: dict[str, Callable[[], list[str]]] = {
            "slack": lambda: [body["attachments"][0]["title"] for body in self.heard["slack"]],
            "telegram": lambda: [_plain(body["text"]) for body in self.heard["telegram"]],
            "email": lambda: [str(letter["Subject"]) for letter in self.letters],
            "webhook": lambda: [_as_title(body) for body in self.heard["webhook"]],
            "pagerduty": lambda: [
                f"{page['event_action']} {self._incidents[page['dedup_key']]}" for page in self.pages
            ],
        }
        return [title for title in lines[channel]() if re.search(rf"\b{bot}", title)]

    def actions(self, bot: str, what: str = "") -> list[str]:
        """What a pager was told about a bot: `trigger` and `resolve`; of one alert by its summary, or of all."""
        told = [title for title in self.titles("pagerduty", bot) if what in title]
        return [title.partition(" ")[0] for title in told]

    def story(self, bot: str, error_type: str) -> list[str]:
        """How often and as what people in chat were told of an error; what a message only repeats is left out."""
        told = [alert["status"] for alert in self._alerts(bot, error_type)]
        return [status for number, status in enumerate(told) if number == 0 or told[number - 1] != status]

    def identities(self, bot: str, error_type: str) -> set[str]:
        """The alerts that an error was told as, by Alertmanager's own names for them."""
        return {alert["fingerprint"] for alert in self._alerts(bot, error_type)}

    def firing(self, bot: str, severity: str) -> list[set[str]]:
        """The error types that each message about a bot's errors of one severity told to last."""
        return [
            {alert["labels"]["error_type"] for alert in body["alerts"] if alert["status"] == "firing"}
            for body in self.heard["webhook"]
            if (body["commonLabels"]["bot"], body["commonLabels"]["severity"]) == (bot, severity)
        ]

    def table(self) -> list[str]:
        """Who got what, and how often."""
        return [
            f"{channel:9} {count:2} x {title}"
            for channel in ("pagerduty", *CHATS)
            for title, count in Counter(self.titles(channel)).items()
        ] + [f"{'watchdog':9} {len(self.heard['watchdog']):2} x alerting works"]

    @property
    def pages(self) -> list[dict[str, Any]]:
        """What the pager was told."""
        return self.heard["pagerduty"]

    def _alerts(self, bot: str, error_type: str) -> list[dict[str, Any]]:
        told = [alert for body in self.heard["webhook"] for alert in body["alerts"]]
        return [one for one in told if (one["labels"]["bot"], one["labels"]["error_type"]) == (bot, error_type)]

    @property
    def _incidents(self) -> dict[str, str]:
        """Each incident's own words: an end comes without them."""
        return {page["dedup_key"]: page["payload"]["summary"] for page in reversed(self.pages) if page.get("payload")}


def _plain(text: str) -> str:
    """The first line of a text in Telegram's HTML."""
    return unescape(re.sub(r"</?b>", "", text.partition("\n")[0]))


def _as_title(body: dict[str, Any]) -> str:
    labels = body["commonLabels"]
    told = Counter(alert["status"] for alert in body["alerts"])
    return f"{labels['severity']} {labels['bot']}: {', '.join(f'{count} {status}' for status, count in told.items())}"
