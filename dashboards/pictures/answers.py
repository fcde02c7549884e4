"""What a real Prometheus answers to the committed boards, as Grafana would ask it."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards.boards import FOLDER

WIDTH: Final = 1400
"""Pixels of a board."""
_COLUMNS: Final = 24
_ANNOTATION_STEP: Final = 60
"""Seconds between the moments at which Grafana asks for annotations, unless told otherwise."""
_LABEL_VALUES: Final = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")
_VARIABLE: Final = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and about which time."""

    url: str
    start: float
    """Unix seconds."""
    end: float
    scrape_seconds: float

    def ask(self, path: str, **parameters: Any) -> Any:
        """What the HTTP API answers."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a server of our own
            return json.load(answer)["data"]

    def step(self, pixels: float) -> int:
        """Seconds between two points of a graph that is so wide."""
        return max(int(self.scrape_seconds), round((self.end - self.start) / pixels))

    def rate_interval(self, step: float) -> str:
        """What `$__rate_interval` becomes."""
        return f"{max(step + self.scrape_seconds, 4 * self.scrape_seconds):g}s"


def answered(file: str, asking: Asking, chosen: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The board of a file with all its answers; `chosen` are values of variables, by default everything."""
    board = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    variables = _variables(board, asking, chosen)
    panels = {
        str(panel["id"]): [_answer(panel, target, asking, variables) for target in panel["targets"]]
        for panel in board["panels"]
        if panel["type"] != "row"
    }
    annotations = [_annotation(one, asking, variables) for one in board["annotations"]["list"]]
    shown = {name: " + ".join(values) for name, values in chosen.items()}
    return {
        "board": board,
        "width": WIDTH,
        "range": {"from": asking.start * 1000, "to": asking.end * 1000},
        "chosen": shown,
        "answers": panels,
        "annotations": annotations,
    }


def _variables(board: Any, asking: Asking, chosen: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Each variable's text within a query, all of a list where nothing else was chosen."""
    texts: dict[str, str] = {"__range": f"{asking.end - asking.start:.0f}s"}
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "custom":
            texts[name] = variable["current"]["value"]
        if variable["type"] != "query":
            continue
        if name in chosen:
            texts[name] = _alternatives(chosen[name])
            continue
        if variable.get("allValue"):
            texts[name] = variable["allValue"]
            continue
        parts = _LABEL_VALUES.fullmatch(variable["query"]["query"])
        if parts is None:
            raise ValueError(f"the variable {name} asks for something else than label_values")
        series = _filled(parts["series"], texts)
        window = {"start": asking.start, "end": asking.end}
        texts[name] = _alternatives(asking.ask(f"label/{parts['label']}/values", **{"match[]": series}, **window))
    return texts


def _alternatives(values: Iterable[str]) -> str:
    """As Grafana writes several values into a regular expression within a PromQL string."""
    escaped = [re.escape(value).replace("\\", "\\\\") for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _filled(text: str, texts: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: texts[found[1]], text)


def _answer(panel: Any, target: Any, asking: Asking, variables: Mapping[str, str]) -> dict[str, Any]:
    step = asking.step(WIDTH * panel["gridPos"]["w"] / _COLUMNS)
    expr = _filled(target["expr"], {**variables, "__rate_interval": asking.rate_interval(step)})
    told: dict[str, Any] = {"target": target, "expr": expr, "step": step, "exemplars": []}
    if target.get("instant"):
        return told | {"result": asking.ask("query", query=expr, time=asking.end)["result"]}
    window = {"start": asking.start // step * step, "end": asking.end // step * step}
    told["result"] = asking.ask("query_range", query=expr, step=step, **window)["result"]
    if target.get("exemplar"):
        found = asking.ask("query_exemplars", query=expr, start=asking.start, end=asking.end)
        told["exemplars"] = [exemplar for one in found for exemplar in one["exemplars"]]
    return told


def _annotation(annotation: Any, asking: Asking, variables: Mapping[str, str]) -> dict[str, Any]:
    step = _ANNOTATION_STEP
    expr = _filled(annotation["expr"], {**variables, "__rate_interval": asking.rate_interval(step)})
    window = {"start": asking.start // step * step, "end": asking.end // step * step}
    found = asking.ask("query_range", query=expr, step=step, **window)["result"]
    return {"annotation": annotation, "step": step, "result": found}
