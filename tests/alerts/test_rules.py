"""Each alert is silent until it must speak, says exactly what it should, and ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.cases import CASES
from tests.alerts.promtool import (
    BROKER,
    INFO,
    RULES,
    TARGET,
    Case,
    alerts,
    at,
    during,
    firing,
    once,
    own,
    promtool,
    run,
    series,
)

BY_NAME = {case.alert: case for case in CASES}
ALWAYS = {"SidecarWatchdog"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_is_silent_a_step_before_then_says_all_and_ends(case: Case, tmp_path: Path) -> None:
    run(tmp_path, case.hears, case.expectations)


def test_every_alert_is_tried() -> None:
    assert sorted([*BY_NAME, *ALWAYS]) == sorted(rule["alert"] for rule in alerts())


def test_the_rules_are_in_order_for_promtool() -> None:
    promtool("check", "rules", *map(str, RULES))


def test_the_watchdog_fires_without_any_sidecar(tmp_path: Path) -> None:
    rule = next(rule for rule in alerts() if rule["alert"] == "SidecarWatchdog")
    run(
        tmp_path, {}, [at(0, "SidecarWatchdog", {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]})]
    )


def test_every_bot_has_its_own_alert_wherever_it_runs(tmp_path: Path) -> None:
    hears = {}
    for number, (namespace, bot) in enumerate([("desk", "carry"), ("lab", "momentum"), ("", "alone")]):
        target = f'job="sidecar",instance="10.0.1.{number}:9464"' + (f',namespace="{namespace}"' if namespace else "")
        hears[f'sidecar_info{{{target},version="1.0",bot="{bot}"}}'] = "1x600"
        hears[f'sidecar_broker_state{{{target},broker="binance",state="degraded"}}'] = during(10, 20)
    expected = [
        _retold("SidecarBrokerDown", namespace="desk", bot="carry"),
        _retold("SidecarBrokerDown", namespace="lab", bot="momentum"),
        _retold("SidecarBrokerDown", namespace="", bot="alone"),
    ]
    run(tmp_path, hears, [at(10, "SidecarBrokerDown", *expected)])


def test_a_bot_that_the_scrape_already_names_keeps_that_name(tmp_path: Path) -> None:
    target = f'{TARGET},bot="momentum"'
    hears = {
        f'sidecar_info{{{target},version="1.0",exported_bot="momentum"}}': "1x600",
        f'sidecar_broker_state{{{target},broker="binance",state="degraded"}}': during(10, 20),
    }
    run(tmp_path, hears, [at(10, "SidecarBrokerDown", BY_NAME["SidecarBrokerDown"].told)], info=False)


def test_two_pods_of_a_bot_are_one_alert(tmp_path: Path) -> None:
    other = TARGET.replace("10.0.0.1", "10.0.0.2")
    failed = series("sidecar_errors_total", error_type="auth_failed", severity="critical")
    hears = {
        INFO.replace("10.0.0.1", "10.0.0.2"): "1x600",
        failed: once(10),
        failed.replace(TARGET, other): once(10, 2),
    }
    told = _retold("SidecarAuthFailed", said=("minutes: 1.", "minutes: 3."))
    run(tmp_path, hears, [at(9, "SidecarAuthFailed"), at(10, "SidecarAuthFailed", told)])


def test_the_same_error_again_within_its_window_goes_on_as_the_same_alert(tmp_path: Path) -> None:
    counter = series("sidecar_errors_total", error_type="stream_lost", severity="error")
    told = [_retold("SidecarStreamLost", said=("hour: 2.", f"hour: {times}.")) for times in (1, 2)]
    expected = [
        at(10, "SidecarStreamLost", told[0]),
        *(at(minute, "SidecarStreamLost", told[1]) for minute in range(50, 70)),
        *(at(minute, "SidecarStreamLost", told[0]) for minute in range(71, 109)),
        at(111, "SidecarStreamLost"),
    ]
    run(tmp_path, {counter: "0x9 1x39 2x600"}, expected)


@pytest.mark.parametrize("gone", ["_", "stale"])
def test_an_alert_outlives_a_restart_of_the_sidecar(gone: str, tmp_path: Path) -> None:
    away = " ".join([gone] * 6)
    counter = series("sidecar_errors_total", error_type="stream_lost", severity="error")
    hears = {counter: f"0x9 2x9 {away} 0x600", INFO: f"1x19 {away} 1x600"}
    told = BY_NAME["SidecarStreamLost"].told
    run(tmp_path, hears, [at(minute, "SidecarStreamLost", told) for minute in range(10, 60)], info=False)


@pytest.mark.parametrize("away", ["maintenance", "banned"])
@pytest.mark.parametrize("consequence", ["SidecarOrdersBreakerOpen", "SidecarBreakerOpen", "SidecarBrokerDown"])
def test_what_follows_from_an_absence_that_the_broker_told_is_no_alert_of_its_own(
    away: str, consequence: str, tmp_path: Path
) -> None:
    hears = {
        series("sidecar_breaker_state", group="orders", state="open"): "1x600",
        series("sidecar_breaker_state", group="pricing", state="open"): "1x600",
        series("sidecar_broker_state", state="degraded"): "1x600",
        series("sidecar_broker_state", state=away): during(10, 20),
        series("sidecar_broker_state", broker="oanda", state=away): "1x600",
    }
    run(tmp_path, hears, [at(minute, consequence) for minute in range(10, 24)])
    with firing(consequence):
        run(tmp_path, hears, [at(9, consequence)])


def test_a_stuck_queue_is_no_alert_while_the_broker_is_away(tmp_path: Path) -> None:
    hears = {
        series("sidecar_order_queue_age_seconds"): "600x600",
        series("sidecar_broker_state", state="maintenance"): during(10, 20),
    }
    run(tmp_path, hears, [at(15, "SidecarOrderQueueStuck")])
    with firing("SidecarOrderQueueStuck"):
        run(tmp_path, hears, [at(9, "SidecarOrderQueueStuck")])


def test_a_few_failed_calls_of_a_quiet_bot_wake_nobody(tmp_path: Path) -> None:
    hears = {
        series("sidecar_calls_total", endpoint="get_account", outcome="ok"): "0x600",
        series("sidecar_calls_total", endpoint="get_account", outcome="transient"): "0x99 0+1x9 9x600",
    }
    run(tmp_path, hears, [at(minute, "SidecarErrorBudgetBurn") for minute in range(90, 200)])


def test_an_expected_sidecar_that_the_discovery_lost_is_missed_for_an_hour(tmp_path: Path) -> None:
    up = f'up{{{TARGET},bot="momentum",broker_sidecar="expected"}}'
    other = f'up{{{TARGET},bot="momentum"}}'.replace("10.0.0.1", "10.0.0.9")
    told = BY_NAME["SidecarAbsent"].told
    expected = [at(11, "SidecarAbsent"), at(12, "SidecarAbsent", told), at(72, "SidecarAbsent")]
    run(tmp_path, {up: "1x9 stale", other: "0x600"}, expected)


def test_a_scrape_target_that_nobody_expects_is_not_missed(tmp_path: Path) -> None:
    run(tmp_path, {f'up{{{TARGET},bot="momentum"}}': "0x60"}, [at(30, "SidecarAbsent")])


def test_a_failing_check_of_the_sidecar_alone_names_no_broker(tmp_path: Path) -> None:
    told = _retold("SidecarStartupFailed", broker="", said=(" at binance", ""))
    counter = own("sidecar_errors_total", error_type="startup_failed", severity="error")
    run(tmp_path, {counter: once(10)}, [at(10, "SidecarStartupFailed", told)])


def test_a_dropped_line_breaks_the_audit_log_although_its_chain_is_whole(tmp_path: Path) -> None:
    hears = {own("sidecar_audit_chain_intact"): "1x600", own("sidecar_audit_dropped_events_total"): once(10)}
    run(
        tmp_path, hears, [at(9, "SidecarAuditBroken"), at(10, "SidecarAuditBroken", BY_NAME["SidecarAuditBroken"].told)]
    )


def _retold(alert: str, said: tuple[str, str] = ("momentum", "momentum"), **labels: str) -> dict[str, Any]:
    """What an alert tells in its case, with other labels, or with something else said."""
    told = BY_NAME[alert].told
    given: Mapping[str, str] = told["exp_labels"] | labels
    bot = labels.get("bot", BROKER["bot"])
    words = {key: text.replace("momentum", bot) for key, text in told["exp_annotations"].items()}
    words["description"] = words["description"].replace(*said)
    return {"exp_labels": {key: value for key, value in given.items() if value}, "exp_annotations": words}
