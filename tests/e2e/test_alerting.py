"""From a broker's fault to the right phones, once, and once more when it is over: with real servers."""

from collections.abc import Callable

import pytest

from sidecar.alerting.types import TYPES
from tests.e2e.night import Night
from tests.e2e.sinks import CHATS, TOLD
from tests.e2e.stack import fetch

pytestmark = pytest.mark.e2e

KEY = "The broker does not accept the bot's key"
SERVER = "The broker answers with errors of its own"


@pytest.mark.parametrize("channel", ["slack", "telegram", "email"])
def test_each_error_is_one_message_when_it_begins_and_one_when_it_is_over(night: Night, channel: str) -> None:
    """Nor does a restart of the sidecar, or more of the same, tell it again: both have happened in between."""
    assert sorted(night.sinks.titles(channel, "steady")) == [
        f"CRITICAL steady@oanda: {KEY}",
        f"ERROR steady@binance: {SERVER}",
        f"OVER steady@binance: {SERVER}",
        f"OVER steady@oanda: {KEY}",
    ]


def test_a_permanent_error_pages_once_and_its_end_closes_the_incident(night: Night) -> None:
    assert night.sinks.titles("pagerduty", "steady") == [
        f"trigger CRITICAL steady@oanda: {KEY}",
        f"resolve CRITICAL steady@oanda: {KEY}",
    ]


def test_a_permanent_error_is_not_tried_again(night: Night) -> None:
    assert len(night.fates) == 5
    assert [fate for fate in night.fates if not fate.startswith("fatal; attempts=1;")] == []


def test_an_error_that_is_no_emergency_pages_nobody(night: Night) -> None:
    assert [title for title in night.sinks.titles("pagerduty") if SERVER in title] == []


def test_three_types_at_once_are_one_message_in_chat_and_a_page_each(night: Night) -> None:
    title = night.sinks.titles("slack", "storm")[0]
    assert title.startswith("CRITICAL storm: ")
    assert title.endswith(" (and 2 more)")
    assert {channel: len(told) for channel, told in night.midnight.items()} == dict.fromkeys(CHATS, 1) | {
        "pagerduty": 3
    }
    assert sorted(night.sinks.titles("pagerduty", "storm")) == sorted(
        f"{action} CRITICAL storm@{where}"
        for action in ("trigger", "resolve")
        for where in (
            f"oanda: {KEY}",
            "binance: Nobody knows whether an order was executed",
            "binance: The broker has banned this address",
        )
    )


def test_what_ends_is_told_and_nothing_of_it_begins_anew(night: Night) -> None:
    first, *later = night.sinks.firing("storm", "critical")
    assert first == {"auth_failed", "order_outcome_unknown", "banned"}
    for before, after in zip([first, *later], later, strict=False):
        assert after < before
    assert later[-1] == set()


@pytest.mark.parametrize(
    ("bot", "kind"),
    [
        ("steady", "auth_failed"),
        ("steady", "server_errors"),
        ("storm", "auth_failed"),
        ("storm", "order_outcome_unknown"),
        ("storm", "banned"),
        ("late", "auth_failed"),
        ("late", "server_errors"),
    ],
)
def test_what_began_is_over_and_has_not_begun_anew(night: Night, bot: str, kind: str) -> None:
    assert night.sinks.story(bot, kind) == ["firing", "resolved"]
    assert len(night.sinks.identities(bot, kind)) == 1


@pytest.mark.parametrize("alert", ["SidecarAuthFailed", "SidecarOrderOutcomeUnknown"])
def test_what_was_told_once_both_the_sidecar_and_prometheus_have_told(night: Night, alert: str) -> None:
    labels = f'alertname="{alert}",bot="storm",alertstate="firing"'
    assert night.prometheus.ask(f"count_over_time(ALERTS{{{labels}}}[10m]) > 0")
    storm = night.sidecars["storm"]
    assert storm.metric("sidecar_notifications_total", channel="alertmanager", severity="critical", result="sent") >= 2
    told = [error for error in fetch(f"{storm.url}/v1/errors")["errors"] if TYPES[error["type"]].alert == alert]
    assert [error["notified"] >= 1 for error in told] == [True]


def test_what_happens_while_alertmanager_is_away_is_told_when_it_is_back(night: Night) -> None:
    assert night.sinks.titles("pagerduty", "late") == [
        f"trigger CRITICAL late@oanda: {KEY}",
        f"resolve CRITICAL late@oanda: {KEY}",
    ]
    for channel in CHATS[:2]:
        told = [title for title in night.sinks.titles(channel, "late") if KEY in title]
        assert told == [f"CRITICAL late@oanda: {KEY}", f"OVER late@oanda: {KEY}"]
    assert night.sinks.firing("late", "error") == [{"server_errors"}, set()]


def test_a_message_says_what_to_do_and_where_to_read_on_whoever_told_it(night: Night) -> None:
    texts = [body["attachments"][0]["text"] for body in night.sinks.heard["slack"]]
    (text,) = [text for text in texts if KEY in text and "steady@oanda" in text and ":point_right:" in text]
    assert text.count("Check the key, its permissions and its allowed addresses at the broker.") == 1
    assert "/SidecarAuthFailed.md|Runbook>" in text
    assert "/d/sidecar-broker?var-bot=steady&var-broker=oanda|Dashboard>" in text.replace("&amp;", "&")


def test_all_chats_are_told_the_same(night: Night, record_property: Callable[[str, object], None]) -> None:
    for line in night.sinks.table():
        record_property(TOLD, line)
    counts = {channel: len(night.sinks.titles(channel)) for channel in CHATS}
    assert len(set(counts.values())) == 1, counts
