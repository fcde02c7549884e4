"""What arrives on the phone."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.alerts.amtool import channel, config, render
from tests.alerts.cases import CASES
from tests.alerts.promtool import ALERTS, BOT, BROKER, RUNBOOKS, Case

DASHBOARDS = ALERTS.parent / "dashboards" / "json"

TELEGRAM_MOST = 4096
"""Characters of one Telegram message. [doc] core.telegram.org, sendMessage."""
PAGERDUTY_MOST = 1024
"""Characters of an incident's summary. [doc] PagerDuty, Events API v2."""
LOCK_SCREEN = 150
"""Characters that a phone shows of a notification without unlocking."""

KEY, STREAM, DISK = (
    next(case for case in CASES if case.alert == name)
    for name in ("SidecarAuthFailed", "SidecarStreamLost", "SidecarDatabase")
)


def alert(case: Case, *, over: bool = False, **further: str) -> dict[str, Any]:
    """An alert as Alertmanager hands it to its templates."""
    return {
        "status": "resolved" if over else "firing",
        "labels": {"alertname": case.alert, **case.told["exp_labels"]},
        "annotations": case.told["exp_annotations"] | further,
        "startsAt": "2026-11-22T03:04:05Z",
        "endsAt": "2026-11-22T03:34:05Z" if over else "0001-01-01T00:00:00Z",
    }


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _setting(receiver: str, kind: str) -> Mapping[str, Any]:
    (found,) = (one for one in config()["receivers"] if one["name"] == receiver)
    (only,) = found[kind]
    return dict(only)


SLACK, PAGER = _setting("chat", "slack_configs"), _setting("page", "pagerduty_configs")
(TELEGRAM,) = channel("telegram")["telegram_configs"]
(EMAIL,) = channel("email")["email_configs"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_one_line_says_how_bad_it_is_what_and_where(case: Case, tmp_path: Path) -> None:
    title = render(tmp_path, SLACK["title"], [alert(case)])
    where = "momentum@binance" if case.labels == BROKER else "momentum"
    assert case.labels in (BOT, BROKER)
    assert title == f"{case.severity.upper()} {where}: {case.summary}"
    assert len(title) <= LOCK_SCREEN


def test_chat_tells_what_where_since_when_what_to_do_and_where_to_look(tmp_path: Path) -> None:
    told = render(tmp_path, SLACK["text"], [alert(KEY, trace_url="https://traces.example/t/1")])
    assert told.strip() == (
        "*The broker does not accept the bot's key*\n"
        "momentum@binance in desk, since Nov 22 03:04 UTC\n"
        "binance has refused the key of momentum. Times in the last 30 minutes: 1.\n"
        ":point_right: Check the key, its permissions and its allowed addresses at the broker.\n"
        "<https://runbooks.example/broker-sidecar/SidecarAuthFailed.md|Runbook> · "
        "<https://grafana.example/d/sidecar-broker?var-bot=momentum&var-namespace=desk&var-broker=binance|Dashboard> · "
        "<https://traces.example/t/1|Trace>"
    )


def test_what_is_over_is_told_as_over(tmp_path: Path) -> None:
    over = [alert(KEY, over=True)]
    assert render(tmp_path, SLACK["title"], over) == "OVER momentum@binance: The broker does not accept the bot's key"
    assert render(tmp_path, SLACK["text"], over).strip() == (
        ":white_check_mark: The broker does not accept the bot's key: momentum@binance, over since Nov 22 03:34 UTC"
    )
    assert render(tmp_path, SLACK["color"], over) == "good"


def test_several_are_one_line_that_counts_them(tmp_path: Path) -> None:
    # Not all of them are about one broker, so that the line names the bot alone.
    title = render(tmp_path, SLACK["title"], [alert(STREAM), alert(DISK)])
    assert title == "ERROR momentum: A stream of the broker broke (and 1 more)"


@pytest.mark.parametrize(("case", "color"), [(KEY, "danger"), (STREAM, "warning")])
def test_the_colour_says_how_bad_it_is(case: Case, color: str, tmp_path: Path) -> None:
    assert render(tmp_path, SLACK["color"], [alert(case)]) == color


def test_a_page_has_the_whole_story_and_links(tmp_path: Path) -> None:
    one = [alert(KEY)]
    assert len(render(tmp_path, PAGER["description"], one)) <= PAGERDUTY_MOST
    assert render(tmp_path, PAGER["details"]["what"], one).strip() == (
        "The broker does not accept the bot's key\n"
        "Where: momentum@binance in desk\n"
        "Since: Nov 22 03:04 UTC\n"
        "binance has refused the key of momentum. Times in the last 30 minutes: 1.\n"
        "Do: Check the key, its permissions and its allowed addresses at the broker.\n"
        "Runbook: https://runbooks.example/broker-sidecar/SidecarAuthFailed.md\n"
        "Dashboard: https://grafana.example/d/sidecar-broker?var-bot=momentum&var-namespace=desk&var-broker=binance"
    )
    links = [render(tmp_path, link["href"], one) for link in PAGER["links"]]
    assert links == [
        "https://runbooks.example/broker-sidecar/SidecarAuthFailed.md",
        "https://grafana.example/d/sidecar-broker?var-bot=momentum&var-namespace=desk&var-broker=binance",
    ]
    assert render(tmp_path, PAGER["client_url"], one) == (
        "https://alertmanager.example/#/alerts?filter=%7Bbot%3D%22momentum%22%7D"
    )


@pytest.mark.parametrize("case", [KEY, DISK], ids=lambda case: case.alert)
def test_the_dashboard_that_is_linked_exists_and_knows_what_it_is_asked_for(case: Case, tmp_path: Path) -> None:
    link = urlsplit(render(tmp_path, PAGER["links"][1]["href"], [alert(case)]))
    boards = {board["uid"]: board for board in map(_read, DASHBOARDS.glob("*.json"))}
    known = {variable["name"] for variable in boards[link.path.removeprefix("/d/")]["templating"]["list"]}
    asked = {name.removeprefix("var-"): value for name, value in parse_qsl(link.query, keep_blank_values=True)}
    assert asked == case.labels
    assert asked.keys() <= known


def test_fifty_at_once_fit_into_one_message_whose_tags_are_whole(tmp_path: Path) -> None:
    many = [alert(case) for case in CASES if case.severity == "error"] * 3
    assert len(many) > 50
    told = render(tmp_path, TELEGRAM["message"], many, html=True)
    assert f"and {len(many) - 5} more" in told
    assert len(told) <= TELEGRAM_MOST
    for tag in ("b", "a"):
        assert len(re.findall(rf"<{tag}[ >]", told)) == told.count(f"</{tag}>") > 0


def test_fifty_that_are_over_fit_too(tmp_path: Path) -> None:
    told = render(tmp_path, TELEGRAM["message"], [alert(STREAM, over=True)] * 50, html=True)
    assert told.count("✅") == 5
    assert told.strip().endswith("\nand 45 more")


def test_an_email_is_html_that_nothing_in_it_can_break(tmp_path: Path) -> None:
    risky = alert(KEY, description="<script>alert(1)</script> & co")
    told = render(tmp_path, EMAIL["html"], [risky], html=True)
    assert "<script>" not in told
    assert "&lt;script&gt;" in told
    assert 'href="https://runbooks.example/broker-sidecar/SidecarAuthFailed.md"' in told
    assert render(tmp_path, EMAIL["headers"]["Subject"], [risky]).startswith("CRITICAL momentum@binance: ")


def test_an_alert_without_advice_still_leads_to_its_page(tmp_path: Path) -> None:
    bare = alert(KEY)
    bare["annotations"] = {"summary": KEY.summary, "description": KEY.description}
    told = render(tmp_path, SLACK["text"], [bare])
    assert ":point_right:" not in told
    assert f"{KEY.description}\n<{RUNBOOKS}/SidecarAuthFailed.md|Runbook>" in told
    assert render(tmp_path, PAGER["links"][0]["href"], [bare]) == f"{RUNBOOKS}/SidecarAuthFailed.md"
