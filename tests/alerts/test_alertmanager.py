"""Who hears of what: the shipped Alertmanager configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.amtool import CHANNELS, CONFIG, amtool, channel, config, receivers
from tests.alerts.promtool import alerts

HEARD_BY = {
    "critical": {"page", "chat-critical"},
    "error": {"chat"},
    "warning": {"nobody"},
    "info": {"nobody"},
}
CHANNELS_OF = {
    "page": {"pagerduty_configs"},
    "chat-critical": {"slack_configs"},
    "chat": {"slack_configs"},
    "nobody": set(),
    "watchdog": set(),
}
LABELS = {"namespace": "desk", "bot": "momentum", "broker": "binance", "error_type": "auth_failed"}


def test_amtool_accepts_the_configuration() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("severity", HEARD_BY)
@pytest.mark.parametrize("wanted", ["pagerduty_configs", "slack_configs"])
def test_a_severity_reaches_its_channels_and_no_other(severity: str, wanted: str) -> None:
    heard = receivers({"alertname": "SidecarAuthFailed", "severity": severity, **LABELS})
    assert set(heard) == HEARD_BY[severity]
    reached = [kind for name in heard for kind in _receiver(name) if kind != "name"]
    expected = sorted(kind for name in HEARD_BY[severity] for kind in CHANNELS_OF[name])
    assert sorted(reached) == expected
    assert (wanted in reached) == (wanted in expected)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_reaches_whom_its_severity_says(rule: dict[str, Any]) -> None:
    labels = {"alertname": rule["alert"], "bot": "momentum", **rule["labels"]}
    expected = {"watchdog"} if rule["alert"] == "SidecarWatchdog" else HEARD_BY[rule["labels"]["severity"]]
    assert set(receivers(labels)) == expected


def test_alerts_of_others_are_left_alone() -> None:
    assert receivers({"alertname": "DiskFull", "severity": "critical"}) == ["nobody"]


def test_chat_gathers_for_a_minute_and_pages_go_out_at_once_by_type() -> None:
    routes = {route["receiver"]: route for route in config()["route"]["routes"]}
    for name in ("chat", "chat-critical"):
        assert routes[name]["group_by"] == ["namespace", "bot", "severity"]
        assert routes[name]["group_wait"] == "60s"
    assert routes["page"]["group_by"] == ["namespace", "bot", "error_type"]
    assert routes["page"]["group_wait"] == "5s"


def test_a_receiver_tells_when_it_is_over() -> None:
    settings = [one for receiver in config()["receivers"] for one in _integrations(receiver)]
    settings += [one for name in CHANNELS for one in _integrations(channel(name))]
    assert len(settings) >= 6
    assert all(one["send_resolved"] is True for one in settings)


def test_no_route_mutes_what_is_critical() -> None:
    quiet = {"mute_time_intervals", "active_time_intervals"}
    on_the_way = [config()["route"], *(one for one in config()["route"]["routes"] if _is_for("critical", one))]
    assert len(on_the_way) == 3
    assert not any(quiet & set(route) for route in on_the_way)


def test_trading_hours_can_be_switched_on_for_errors_alone(tmp_path: Path) -> None:
    text = CONFIG.read_text()
    switched = text.replace("# active_time_intervals:", "active_time_intervals:")
    assert switched != text
    (tmp_path / "alertmanager.yaml").write_text(switched)
    _accepted(tmp_path, yaml.safe_load(switched))
    limited = [
        route["receiver"] for route in yaml.safe_load(switched)["route"]["routes"] if "active_time_intervals" in route
    ]
    assert limited == ["chat"]


def test_only_what_reaches_nobody_can_be_inhibited() -> None:
    for rule in config()["inhibit_rules"]:
        assert rule["target_matchers"] == ['severity =~ "warning|info"']
        # A label that both lack would match everything; these are on every alert, or belong to its identity.
        assert set(rule["equal"]) == {"namespace", "bot", "broker", "error_type"}
    for severity in ("warning", "info"):
        assert receivers({"alertname": "SidecarRateLimited", "severity": severity, **LABELS}) == ["nobody"]


def test_no_secret_is_written_down() -> None:
    keys = set(_keys(config())) | {key for name in CHANNELS for key in _keys(channel(name))}
    secret = {"slack_api_url", "api_url", "routing_key", "service_key", "bot_token", "auth_password", "credentials"}
    assert not keys & secret
    assert {
        f"{name}_file" for name in ("slack_api_url", "routing_key", "auth_password", "credentials", "bot_token")
    } <= keys


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("receiver", ["page", "chat-critical", "chat", "watchdog"])
def test_a_further_channel_fits_into_each_receiver(name: str, receiver: str, tmp_path: Path) -> None:
    whole, block = config(), channel(name)
    for telegram in block.get("telegram_configs", ()):
        # The oldest Alertmanager that is supported takes the token by value only.
        telegram["bot_token"] = f"by value instead of {telegram.pop('bot_token_file')}"
    next(one for one in whole["receivers"] if one["name"] == receiver).update(block)
    _accepted(tmp_path, whole)


def test_the_labels_by_which_is_routed_are_on_every_alert() -> None:
    for rule in alerts():
        assert set(rule["labels"]) == {"severity", "error_type"}, rule["alert"]
        assert rule["labels"]["severity"] in HEARD_BY
        assert set(rule["annotations"]) == {"summary", "description", "action", "runbook_url"}
        assert "{{" not in rule["annotations"]["summary"]


def _accepted(folder: Path, whole: dict[str, Any]) -> None:
    file = folder / "changed.yaml"
    file.write_text(yaml.safe_dump(whole))
    assert "SUCCESS" in amtool("check-config", str(file))


def _receiver(name: str) -> dict[str, Any]:
    (found,) = (one for one in config()["receivers"] if one["name"] == name)
    return dict(found)


def _integrations(receiver: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, listed in receiver.items():
        if kind != "name":
            yield from listed


def _is_for(severity: str, route: dict[str, Any]) -> bool:
    return f"severity = {severity}" in route["matchers"]


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(inner)
