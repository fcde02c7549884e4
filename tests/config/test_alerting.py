"""Who is told, as the configuration says it; a channel's URL is a secret."""

import os
from pathlib import Path

import pytest

from sidecar.alerting.routes import contacts, manner
from sidecar.cli import main
from sidecar.config.load import load
from sidecar.config.model import Alerting
from sidecar.words import Severity
from tests.config.support import BINANCE, written

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
PAGERDUTY = "pagerduty://A1BRTD4JDA1BRTD4JDA1BRTD4JD12345@TIiajkdnlazkcOXrIdevi7FQ"
Capture = pytest.CaptureFixture[str]


def checked(folder: Path, alerting: str, capsys: Capture) -> str:
    status = main(["check", str(written(folder, f"alerting: {alerting}\n{BINANCE}"))])
    shown = capsys.readouterr().out
    assert (status == 2) is (": valid; " not in shown)
    return shown


def secret(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "url"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("url", ["http://am:9093", "[http://am-0:9093, http://am-1:9093]", "[]"])
def test_one_alertmanager_or_several(tmp_path: Path, url: str) -> None:
    config = load(written(tmp_path, f"alerting: {{alertmanager: {{url: {url}}}}}\n{BINANCE}"), {})
    assert config.alerting.alertmanager.url == tuple(part.strip() for part in url.strip("[]").split(",") if part)


def test_an_alertmanager_from_the_environment(tmp_path: Path) -> None:
    environ = {"SIDECAR_ALERTING__ALERTMANAGER__URL": "http://am:9093"}
    assert load(written(tmp_path, BINANCE), environ).alerting.alertmanager.url == ("http://am:9093",)


def test_an_alertmanager_whose_url_is_none(tmp_path: Path, capsys: Capture) -> None:
    shown = checked(tmp_path, "{alertmanager: {url: am:9093}}", capsys)
    assert "alerting.alertmanager.url" in shown
    assert "an http:// or https:// URL without credentials" in shown


def test_a_channels_url_comes_from_a_file(tmp_path: Path) -> None:
    file = secret(tmp_path, SLACK)
    config = load(written(tmp_path, f"alerting: {{channels: {{chat: {{url_file: {file}}}}}}}\n{BINANCE}"), {})
    (contact,) = contacts(config.alerting)
    assert not contact.sender.pages


def test_a_channels_url_comes_from_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("SIDECAR_ALERTING__CHANNELS__CHAT__URL", SLACK)
    file = written(tmp_path, BINANCE)
    config = load(file, os.environ)
    assert [contact.name for contact in contacts(config.alerting)] == ["chat"]
    assert main(["check", str(file), "--json"]) == 0
    for shown in (capsys.readouterr().out, repr(config), str(config.alerting), repr(list(contacts(config.alerting)))):
        assert "TIiajkdnlazkcOXrIdevi7FQ" not in shown


def test_a_url_in_the_file_itself_is_refused_and_not_repeated(tmp_path: Path, capsys: Capture) -> None:
    shown = checked(tmp_path, f"{{channels: {{chat: {{url: '{SLACK}'}}}}}}", capsys)
    assert "alerting.channels.chat.url" in shown
    assert "a secret does not belong in this file" in shown
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in shown


@pytest.mark.parametrize(
    "alerting",
    [
        f"{{channels: {{chat: '{SLACK}'}}}}",
        f"{{channels: '{SLACK}'}}",
        f"{{channels: {{chat: {{link: '{SLACK}'}}}}}}",
        f"{{channels: {{chat: {{url_file: '{SLACK}'}}}}}}",
        f"{{channels: {{chat: {{severities: ['{SLACK}']}}}}}}",
    ],
)
def test_a_url_in_the_wrong_place_is_not_repeated(tmp_path: Path, capsys: Capture, alerting: str) -> None:
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in checked(tmp_path, alerting, capsys)


@pytest.mark.parametrize("text", ["nonsense://somewhere-secret", "somewhere-secret"])
def test_a_url_that_no_service_is_known_by_is_refused_and_not_repeated(
    tmp_path: Path, capsys: Capture, text: str
) -> None:
    shown = checked(tmp_path, f"{{channels: {{chat: {{url_file: {secret(tmp_path, text)}}}}}}}", capsys)
    assert "holds what is no URL that a notification service is known by" in shown
    assert "somewhere-secret" not in shown


@pytest.mark.parametrize(
    ("channel", "wrong"),
    [
        ("{}", "the URL is missing"),
        ("{url_file: /nowhere/at/all}", "names a file that does not exist"),
        ("{url_file: /nowhere/at/all, severities: [loud]}", "is none of the choices"),
        ("{url_file: /nowhere/at/all, aggregate_seconds: -1}", "is too small"),
    ],
)
def test_a_channel_that_cannot_be_used(tmp_path: Path, capsys: Capture, channel: str, wrong: str) -> None:
    assert wrong in checked(tmp_path, f"{{channels: {{chat: {channel}}}}}", capsys)


def test_a_channel_that_is_not_used_needs_no_url(tmp_path: Path, capsys: Capture) -> None:
    checked(tmp_path, "{channels: {chat: {enabled: false}}}", capsys)


def test_a_file_that_everybody_can_read_is_a_warning(tmp_path: Path, capsys: Capture) -> None:
    file = secret(tmp_path, SLACK, 0o644)
    assert "every user of this machine can read the file" in checked(
        tmp_path, f"{{channels: {{chat: {{url_file: {file}}}}}}}", capsys
    )


def test_a_token_file_that_is_not_there(tmp_path: Path, capsys: Capture) -> None:
    shown = checked(tmp_path, "{alertmanager: {url: 'http://am:9093', token_file: /nowhere/at/all}}", capsys)
    assert "alerting.alertmanager.token_file" in shown


@pytest.mark.parametrize(
    ("url", "severities", "seconds"),
    [(PAGERDUTY, {Severity.CRITICAL}, 0), (SLACK, {Severity.CRITICAL, Severity.ERROR}, 60)],
)
def test_a_pager_is_told_at_once_and_of_what_is_critical(url: str, severities: set[Severity], seconds: float) -> None:
    settings = Alerting.model_validate({"channels": {"one": {"url": url}}})
    (contact,) = contacts(settings)
    spoken = manner(contact, settings)
    assert (spoken.severities, spoken.aggregate_seconds) == (severities, seconds)


def test_what_is_configured_goes_before_what_is_usual() -> None:
    channel = {"url": PAGERDUTY, "severities": ["warning"], "aggregate_seconds": 5}
    settings = Alerting.model_validate({"channels": {"one": channel}, "throttle": {"broker_seconds": 7}})
    (contact,) = contacts(settings)
    spoken = manner(contact, settings)
    assert (spoken.severities, spoken.aggregate_seconds) == ({Severity.WARNING}, 5)
    assert {str(topic): seconds for topic, seconds in spoken.pauses.items()} == {
        "startup": 3600,
        "websocket": 3600,
        "broker": 7,
        "database": 3600,
        "orders": 3600,
    }


def test_the_check_says_who_would_be_told(tmp_path: Path, capsys: Capture) -> None:
    file = secret(tmp_path, SLACK)
    alerting = f"{{alertmanager: {{url: 'http://am:9093'}}, channels: {{chat: {{url_file: {file}}}}}}}"
    assert "http://am:9093 and chat (critical, error, gathered for 60 s)" in checked(tmp_path, alerting, capsys)


def test_the_check_says_that_nobody_would_be_told(tmp_path: Path, capsys: Capture) -> None:
    assert "pushed nowhere" in checked(tmp_path, "{}", capsys)
