"""Every query is PromQL, on metrics and labels that exist; every metric can be seen somewhere."""

from collections.abc import Mapping

import pytest

from dashboards import words
from sidecar.telemetry.metrics import Metrics
from sidecar.telemetry.table import READ_AT_SCRAPE, SEEN, TOLD_OTHERWISE
from sidecar.words import BreakerState, BrokerState
from tests.dashboards.support import FILES, asked, metric_of, selectors

every_board = pytest.mark.parametrize("file", FILES)

FAMILIES = {family.name: family for family in Metrics((), bot="", version="").families}
OF_THE_TARGET = {"job", "instance", "namespace"}
"""Labels that the scrape adds."""
NOT_OURS = {
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "python_gc_collections_total",
}
"""Metrics of Prometheus itself, and of its client library."""

EXCUSED: Mapping[str, str] = {}
"""Metrics that are on no board, and why."""


@every_board
def test_every_query_is_promql(file: str) -> None:
    for query in asked(file):
        assert list(selectors(query.expr)), query


@every_board
def test_every_metric_that_is_asked_for_exists(file: str) -> None:
    known = set(FAMILIES) | NOT_OURS
    assert [str(query) for query in asked(file) if not query.metrics <= known] == []


@every_board
def test_every_label_that_is_chosen_by_is_one_of_the_metric(file: str) -> None:
    strange = [
        f"{query}: {matcher.name}"
        for query in asked(file)
        for selector in selectors(query.expr)
        if (family := FAMILIES.get(metric_of(selector.name or ""))) is not None
        for matcher in selector.matchers.matchers
        if matcher.name not in {*family.labels, *OF_THE_TARGET}
    ]
    assert strange == []


@every_board
def test_every_metric_is_asked_for_within_what_was_chosen(file: str) -> None:
    loose = [
        f"{query}: {selector}"
        for query in asked(file)
        if not query.place.startswith("variable")
        for selector in selectors(query.expr)
        if (selector.name or "").startswith(("sidecar_", "process_", "python_"))
        if not {"job", "namespace", "instance"} <= {matcher.name for matcher in selector.matchers.matchers}
    ]
    assert loose == []


def test_every_metric_is_on_a_panel_or_excused() -> None:
    fed = {name for seen in SEEN.values() for name in seen.metrics} | set(READ_AT_SCRAPE) | set(TOLD_OTHERWISE)
    shown = {
        metric
        for file in FILES
        for query in asked(file)
        if not query.place.startswith(("variable", "annotation"))
        for metric in query.metrics
    }
    assert sorted(fed - shown) == sorted(EXCUSED)


def test_every_state_has_a_number_and_a_word() -> None:
    assert set(words.CONDITION_CODES) == set(BrokerState)
    assert set(words.BREAKER_CODES) == set(BreakerState)
    assert set(words.CONDITION_CODES.values()) == set(words.CONDITION)
    assert set(words.BREAKER_CODES.values()) == set(words.BREAKER)
