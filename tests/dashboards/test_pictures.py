"""Pictures ask what Grafana would ask."""

from dataclasses import dataclass, field
from typing import Any

import promql_parser
import pytest

from dashboards.pictures.answers import Asking, answered
from tests.dashboards.support import FILES


@dataclass(frozen=True, slots=True)
class Canned(Asking):
    """A Prometheus that knows two of everything, and nothing of it."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, path: str, **parameters: Any) -> Any:
        self.asked.append({"path": path} | parameters)
        if path.startswith("label/"):
            return ["127.0.0.1:1", "127.0.0.1:2"]
        return [] if path == "query_exemplars" else {"result": []}


def asking() -> Canned:
    return Canned("http://x", start=1_000.0, end=1_240.0, scrape_seconds=2.0)


@pytest.mark.parametrize("file", FILES)
def test_every_variable_is_filled_in(file: str) -> None:
    prometheus = asking()
    answered(file, prometheus, {})
    queries = [one["query"] for one in prometheus.asked if "query" in one]
    assert queries
    assert [query for query in queries if "$" in query] == []
    for query in queries:
        promql_parser.parse(query)


def test_all_of_a_list_become_alternatives_of_which_each_is_taken_literally() -> None:
    prometheus = asking()
    told = answered("fleet.json", prometheus, {})
    expr = next(answer["expr"] for answers in told["answers"].values() for answer in answers)
    assert r'instance=~"(127\\.0\\.0\\.1:1|127\\.0\\.0\\.1:2)"' in expr


def test_what_was_chosen_takes_the_place_of_all() -> None:
    told = answered("broker.json", asking(), {"broker": ["oanda"]})
    exprs = [answer["expr"] for answers in told["answers"].values() for answer in answers]
    assert all('broker=~"oanda"' in expr for expr in exprs if "broker=~" in expr)
    assert told["chosen"] == {"broker": "oanda"}


def test_a_rate_looks_back_over_four_scrapes_at_least() -> None:
    prometheus = asking()
    assert prometheus.step(1_000) == 2
    assert prometheus.rate_interval(2) == "8s"
    assert prometheus.rate_interval(60) == "62s"
