"""The rules and runbooks ask for what exists: metrics, labels and label values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.reference import FILE
from sidecar.telemetry.traces import SpanReadings
from tests.alerts.promtool import ALERTS, rules
from tests.alerts.runbooks import RUNBOOKS, expressions
from tests.telemetry.seen_samples import SHAPE

OF_OTHERS: dict[str, set[str]] = {
    "ALERTS": {"alertname"},
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "process_start_time_seconds": set(),
    "up": {"broker_sidecar"},
}
"""Metrics of Prometheus itself and of every process, with the labels that the documentation asks for."""
OF_THE_TARGET = {"namespace", "job", "instance", "bot"}
CONFIGURED = {"limit", "alertname", "broker_sidecar"}
"""Labels whose values are not the sidecar's choice, or that it does not have."""

_NAME = re.compile(r"(?<![\w:\"])((?:bot|instance):\w+:\w+|sidecar_\w+|process_\w+|up|ALERTS)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Use:
    """One selector of an expression."""

    where: str
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    """Label, operator, value."""


def _uses() -> Iterator[Use]:
    expressions_of = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    expressions_of += [(page.name, expression) for page in RUNBOOKS for expression in expressions(page)]
    for where, expression in expressions_of:
        bare = _GROUPING.sub("", expression)
        for metric, matchers in _NAME.findall(bare):
            yield Use(where, metric, tuple(_MATCHER.findall(matchers)))


def _reference() -> dict[str, set[str]]:
    """The metrics that docs/metrics.md lists, a histogram's series each, and their labels."""
    found: dict[str, set[str]] = {}
    for line in (ALERTS.parent / FILE).read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or not cells[1].startswith("`sidecar_"):
            continue
        name, labels = cells[1].strip("`"), set(re.findall(r"`(\w+)`", cells[3]))
        if cells[2] == "histogram":
            found |= {f"{name}_count": labels, f"{name}_sum": labels, f"{name}_bucket": labels | {"le"}}
        else:
            found[name] = labels
    return found


def _recorded() -> dict[str, set[str]]:
    """The series that the rules record, and what they are summed by."""
    return {
        rule["record"]: set(re.split(r",\s*", _GROUPING.findall(rule["expr"])[0]))
        for rule in rules()
        if "record" in rule
    }


USES = tuple(_uses())
KNOWN = _reference() | OF_OTHERS | _recorded()


def _values() -> dict[tuple[str, str], set[str]]:
    """Every value that a label has from the start, by metric and label."""
    metrics = Metrics([SHAPE], bot="momentum", version="1", read_spans=lambda: SpanReadings(0, 0, 0))
    found: dict[tuple[str, str], set[str]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault((sample.name, label), set()).add(value)
    return found


def test_enough_is_looked_at() -> None:
    assert len(USES) > 100
    assert any(use.matchers for use in USES)
    assert _reference()["sidecar_breaker_state"] == {"broker", "group", "state"}


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.where}-{use.metric}")
def test_a_metric_and_its_labels_exist(use: Use) -> None:
    assert use.metric in KNOWN
    assert {label for label, _, _ in use.matchers} <= KNOWN[use.metric] | OF_THE_TARGET


def test_what_is_grouped_by_is_a_label_of_something() -> None:
    known = set().union(*KNOWN.values()) | OF_THE_TARGET
    grouped = {
        label for rule in rules() for labels in _GROUPING.findall(rule["expr"]) for label in re.split(r",\s*", labels)
    }
    assert grouped <= known


def test_a_value_that_is_asked_for_occurs() -> None:
    values = _values()
    looked_at = 0
    for use in USES:
        for label, operator, wanted in use.matchers:
            there = values.get((use.metric, label))
            if there is None or label in CONFIGURED:
                continue
            looked_at += 1
            options = wanted.split("|") if "~" in operator else [wanted]
            assert set(options) <= there, f"{use.where}: {use.metric}.{label} is never {set(options) - there}"
    assert looked_at > 20


def test_every_alert_says_which_bot_it_is_about() -> None:
    about_all = {"SidecarWatchdog"}
    for rule in rules():
        if rule.get("alert") in about_all:
            continue
        recorded = re.findall(r"\bbot:\w+:\w+", rule["expr"])
        grouped = [set(re.split(r",\s*", labels)) for labels in _GROUPING.findall(rule["expr"])]
        assert recorded or any({"namespace", "bot"} <= labels for labels in grouped), rule
