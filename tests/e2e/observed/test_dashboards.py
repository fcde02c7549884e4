"""After a bad day, every query of every dashboard has an answer. Beside its neighbour, whose day it shares."""

import math
from collections.abc import Mapping

import pytest

from tests.dashboards.support import FILES, Asked, asked
from tests.e2e.observed.day import Day

pytestmark = pytest.mark.e2e

EXCUSED: Mapping[str, str] = {
    "variable namespace": "there are namespaces in Kubernetes only",
    "Alerts that fire now A": "this Prometheus has no rules",
    "Alerts over time A": "likewise",
    "annotation Restart": "the sidecar runs all day",
    "Trouble mended A": "no operation meets with trouble on that day",
}
"""Queries that have no answer on that day, and why."""

STILL: Mapping[str, str] = {
    "Breakers run by hand A": "nobody lays hands on anything",
    "Cached reads A": "no cache is configured",
    "Logins A": "no broker of that day has sessions",
    "Operations in trouble A": "the brackets of that day meet with none",
    "Refused A": "every order is taken",
    "Refused orders by reason A": "likewise",
    "Audit lines B": "the disk takes everything",
    "Audit events lost, over time A": "likewise",
    "Failed subscribers A": "no subscriber fails",
}
"""Queries that leave out what stands still, of which nothing moves on that day, and why."""


def answered(day: Day, query: Asked, *, still: bool = False) -> bool:
    expr = query.expr.replace(" > 0", " >= 0") if still else query.expr
    return any(not math.isnan(series.value) for series in day.prometheus.ask(expr, at=day.evening))


@pytest.mark.parametrize("file", FILES)
def test_every_query_of_the_board_has_an_answer(day: Day, file: str) -> None:
    due = [query for query in asked(file) if query.place not in EXCUSED]
    assert due
    assert [str(query) for query in due if not answered(day, query, still=query.place in STILL)] == []


def test_no_query_is_excused_that_has_an_answer(day: Day) -> None:
    queries = [query for file in FILES for query in asked(file) if query.place in {**EXCUSED, **STILL}]
    assert {query.place for query in queries} == {*EXCUSED, *STILL}
    assert [str(query) for query in queries if answered(day, query)] == []


def test_the_fleet_tells_who_can_trade_and_who_cannot(day: Day) -> None:
    (query,) = [query for query in asked("fleet.json") if query.place == "Who can trade A"]
    told = {series.labels["broker"]: series.value for series in day.prometheus.ask(query.expr, at=day.evening)}
    assert {series.labels["bot"] for series in day.prometheus.ask(query.expr, at=day.evening)} == {"tester"}
    assert told["slow"] == 1
    assert told["oanda"] == 1, "only its prices' breaker is open"
    assert told["binance"] in {4, 8}, "its gate is shut"
