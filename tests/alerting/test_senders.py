"""What reaches the services, and that nobody else learns a channel's secrets."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
import structlog
from apprise.plugins import pagerduty
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from pydantic import SecretStr

from sidecar.alerting.errors import ChannelError
from sidecar.alerting.messages import Message
from sidecar.alerting.senders import AppriseSender
from sidecar.telemetry.logs import configure
from sidecar.words import Severity
from tests.alerting.mail import mailbox
from tests.alerting.sink import Sink
from tests.alerting.sink import sink as listening

SECRETS = ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ")
SLACK = "slack://{}/{}/{}/".format(*SECRETS)
ROUTING_KEY = "A1BRTD4JDA1BRTD4JDA1BRTD4JD12345"
PAGERDUTY = f"pagerduty://{ROUTING_KEY}@TIiajkdnlazkcOXrIdevi7FQ"
TELEGRAM = "tgram://123456789:abcdefghijklmnop_abcdefghijklmnopqr/12315544/"

FIRING = Message(
    "CRITICAL · momentum: broken", "3 times\nLook.", Severity.CRITICAL, over=False, key="sidecar/m/b/banned"
)
OVER = Message("OVER · momentum: broken", "after 2m", Severity.CRITICAL, over=True, key="sidecar/m/b/banned")


@pytest.fixture
def logged() -> Iterator[None]:
    """The sidecar's own log, as loud as it can be."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure("debug", "json")
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as made:
        yield made


async def test_slack(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{sink.url}/services")
    sink.answer = b"ok"

    assert await AppriseSender(SecretStr(SLACK)).send(FIRING) == ""

    assert sink.paths == ["/services/" + "/".join(SECRETS)]
    assert FIRING.title in str(sink.bodies[0])
    assert "Look." in str(sink.bodies[0])


async def test_a_pager_gets_one_incident_that_its_end_resolves(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{sink.url}/v2/enqueue")
    sink.status = 202
    sender = AppriseSender(SecretStr(PAGERDUTY))

    assert await sender.send(FIRING) == ""
    assert await sender.send(OVER) == ""

    assert sender.pages
    assert [body["event_action"] for body in sink.bodies] == ["trigger", "resolve"]
    assert {body["dedup_key"] for body in sink.bodies} == {FIRING.key}
    assert sink.bodies[0]["payload"]["severity"] == "critical"
    assert FIRING.title in sink.bodies[0]["payload"]["summary"]


async def test_telegram(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{sink.url}/bot")

    assert await AppriseSender(SecretStr(TELEGRAM)).send(FIRING) == ""

    assert sink.bodies[-1]["chat_id"] == 12315544
    assert "broken" in sink.bodies[-1]["text"]


async def test_a_webhook(sink: Sink) -> None:
    address = sink.url.removeprefix("http://")
    sender = AppriseSender(SecretStr(f"json://{address}/hook?+X-Token=abcdefgh"))

    assert await sender.send(FIRING) == ""
    assert await sender.send(OVER) == ""

    assert not sender.pages
    assert [(body["title"], body["message"], body["type"]) for body in sink.bodies] == [
        (FIRING.title, FIRING.body, "failure"),
        (OVER.title, OVER.body, "success"),
    ]


async def test_mail() -> None:
    letters: list[EmailMessage] = []
    with mailbox(letters.append) as port:
        sender = AppriseSender(
            SecretStr(f"mailto://127.0.0.1:{port}?from=sidecar@bots.example&to=desk@company.example&mode=insecure")
        )
        assert await sender.send(FIRING) == ""

    (letter,) = letters
    assert (letter["To"], letter["Subject"]) == ("desk@company.example", FIRING.title)
    assert "sidecar@bots.example" in letter["From"]
    body = letter.get_body(("plain", "html"))
    assert body is not None
    assert "3 times" in body.get_content()
    assert "Look." in body.get_content()


async def test_a_mail_server_that_is_away_is_told() -> None:
    with mailbox(print) as port:
        pass
    url = f"mailto://127.0.0.1:{port}?from=sidecar@bots.example&to=desk@company.example&mode=insecure"

    failure = await AppriseSender(SecretStr(url)).send(FIRING)

    assert failure
    assert "company" not in failure


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.usefixtures("logged")
async def test_a_service_that_says_no_is_told_without_its_secrets(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{sink.url}/services")
    sink.status = status

    failure = await AppriseSender(SecretStr(SLACK)).send(FIRING)

    assert str(status) in failure
    assert [secret for secret in SECRETS if secret in failure] == []
    assert "".join(capfd.readouterr()) == ""


async def test_a_service_that_is_away_is_told_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", "http://127.0.0.1:1/services")

    failure = await AppriseSender(SecretStr(SLACK)).send(FIRING)

    assert failure
    assert [secret for secret in SECRETS if secret in failure] == []


async def test_a_service_that_breaks_the_library_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bool:
        raise RuntimeError(f"cannot reach {SLACK}")

    monkeypatch.setattr(NotifySlack, "notify", broken)

    failure = await AppriseSender(SecretStr(SLACK)).send(FIRING)

    assert failure.startswith("RuntimeError: cannot reach")
    assert [secret for secret in SECRETS if secret in failure] == []


def test_the_library_is_loaded_only_by_who_has_a_channel() -> None:
    program = "import sys, sidecar.app, sidecar.cli.check; print('apprise' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert said.stdout == "False\n"


@pytest.mark.parametrize("url", ["", "nonsense", "nonsense://somewhere", "slack://too-short", "http://127.0.0.1/x"])
def test_what_no_service_is_known_by_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ChannelError) as refused:
        AppriseSender(SecretStr(url))
    assert str(refused.value) == "is no URL that a notification service is known by"
