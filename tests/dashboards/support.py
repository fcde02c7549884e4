"""The committed boards, taken apart."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import promql_parser
from promql_parser import Expr, VectorSelector

from dashboards.boards import FOLDER

FILES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))

_CHOSEN = {
    "$__rate_interval": "5m",
    "$__range": "5m",
    "$objective": "0.99",
    "$job": ".*",
    "$namespace": ".*",
    "$bot": ".*",
    "$instance": ".*",
    "$broker": ".*",
}
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")


@dataclass(frozen=True)
class Asked:
    """One query of a board."""

    board: str
    place: str
    raw: str
    """As it is in the file, except that a variable's `label_values` has become PromQL."""

    @property
    def expr(self) -> str:
        """With every variable replaced by what a person might choose."""
        text = self.raw
        for variable, value in _CHOSEN.items():
            text = re.sub(rf"{re.escape(variable)}\b", value, text)
        return text

    @property
    def metrics(self) -> set[str]:
        """The names of the metrics, without what a histogram's series append to them."""
        return {metric_of(selector.name or "") for selector in selectors(self.expr)}

    def __str__(self) -> str:
        return f"{self.board} / {self.place}: {self.raw}"


def metric_of(series: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", series)


@cache
def committed(file: str) -> dict[str, Any]:
    board: dict[str, Any] = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return board


def panels(file: str) -> list[dict[str, Any]]:
    """Everything that shows data: no headings."""
    return [panel for panel in committed(file)["panels"] if panel["type"] != "row"]


def asked(file: str) -> list[Asked]:
    """Every query of the board: of panels, annotations and variables."""
    board = committed(file)
    found = [
        Asked(file, f"{panel['title']} {target['refId']}", target["expr"])
        for panel in panels(file)
        for target in panel["targets"]
    ]
    found += [Asked(file, f"annotation {one['name']}", one["expr"]) for one in board["annotations"]["list"]]
    for variable in variables(file):
        if variable["type"] == "query":
            parts = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert parts is not None, variable
            expr = f"group by ({parts['label']}) ({_with_label(parts['series'], parts['label'])})"
            found.append(Asked(file, f"variable {variable['name']}", expr))
    return found


def variables(file: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = committed(file)["templating"]["list"]
    return listed


def selectors(expr: str) -> Iterator[VectorSelector]:
    """Every selector of a PromQL expression."""
    found: list[VectorSelector] = []

    def visit(node: Expr) -> None:
        if isinstance(node, VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return iter(found)


def _with_label(series: str, label: str) -> str:
    """Only the series that have the label: that is what Grafana lists."""
    name, _, rest = series.partition("{")
    matchers = [part for part in (rest.rstrip("}"), f'{label}!=""') if part]
    return f"{name}{{{', '.join(matchers)}}}"
