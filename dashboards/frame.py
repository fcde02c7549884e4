"""What all boards share: variables, links, annotations, and the grid on which panels stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders.dashboard import (
    CustomVariable,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    Panel,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.panels import SOURCE
from dashboards.queries import BROKER, JOB, PER_STEP, SIDECAR

COLUMNS: Final = 24
"""Grafana's grid."""
TAG: Final = "broker-sidecar"
"""What all boards carry, and their links go by."""

OBJECTIVE: Final = ("0.999", "0.99", "0.995", "0.9995")
"""Shares of calls that should not fail; the first is the one that is chosen at first."""


@dataclass(frozen=True, slots=True)
class Line:
    """Panels of one height side by side, which together are as wide as the board."""

    height: int
    panels: tuple[Panel, ...]
    widths: tuple[int, ...] = ()
    """Columns of each; all the same when empty."""


@dataclass(frozen=True, slots=True)
class Section:
    """One purpose: a heading and lines of panels."""

    title: str
    lines: tuple[Line, ...]


def line(height: int, *panels: Panel, widths: tuple[int, ...] = ()) -> Line:
    """Panels side by side."""
    return Line(height, panels, widths)


def section(title: str, *lines: Line) -> Section:
    """A heading and what stands under it."""
    return Section(title, lines)


def board(
    uid: str, title: str, description: str, *sections: Section, by_broker: bool = True, objective: bool = False
) -> model.Dashboard:
    """A board. Without `by_broker` it has no variable for the broker; `objective` adds one for the error budget."""
    made = Dashboard(title).uid(uid).description(description).tags([TAG]).readonly()
    made.tooltip(DashboardCursorSync.CROSSHAIR).time("now-3h", "now").refresh("30s").timezone("browser")
    made.link(_links())
    for variable in _variables(by_broker=by_broker):
        made.with_variable(variable)
    if objective:
        made.with_variable(_objective())
    built = made.build()
    built.annotations.list_val = [_Transition(*one) for one in _TRANSITIONS] if by_broker else [_RESTARTS]
    built.panels = _placed(sections)
    return built


def _links() -> DashboardLink:
    link = DashboardLink("Sidecar").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.include_vars(True).keep_time(True).as_dropdown(False).target_blank(False)


def _variables(*, by_broker: bool) -> list[DatasourceVariable | QueryVariable]:
    made: list[DatasourceVariable | QueryVariable] = [
        DatasourceVariable("datasource").label("Data source").description("The Prometheus to ask.").type("prometheus"),
        # Not ".*": `job` must not reach what is no sidecar.
        _variable("job", "Job", "Who scrapes.", "label_values(sidecar_info, job)"),
        _variable(
            "namespace",
            "Namespace",
            "Where the pods are; nothing to choose from outside of Kubernetes.",
            'label_values(sidecar_info{job=~"$job"}, namespace)',
        ).all_value(".*"),
        _variable("bot", "Bot", "Whose sidecar.", f"label_values(sidecar_info{{{JOB}}}, bot)"),
        # Only `sidecar_info` knows the bot: it chooses the instances, and they choose all other series.
        _variable(
            "instance", "Instance", "The bots' sidecars.", f'label_values(sidecar_info{{{JOB}, bot=~"$bot"}}, instance)'
        ).hide(VariableHide.HIDE_VARIABLE),
    ]
    if by_broker:
        query = f"label_values({SIDECAR.select('sidecar_broker_state')}, broker)"
        made.append(_variable("broker", "Broker", "The broker as it is configured.", query).all_value(".*"))
    return made


def _variable(name: str, label: str, description: str, query: str) -> QueryVariable:
    made = QueryVariable(name).label(label).description(description).datasource(SOURCE)
    made.query({"query": query, "refId": name}).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    made.sort(VariableSort.ALPHABETICAL_ASC).multi(True).include_all(True)
    return made.current(VariableOption(selected=True, text=["All"], value=["$__all"]))


def _objective() -> CustomVariable:
    first = OBJECTIVE[0]
    made = CustomVariable("objective").label("Objective").description("The share of calls that should not fail.")
    options = [VariableOption(selected=one == first, text=one, value=one) for one in OBJECTIVE]
    made.values(",".join(OBJECTIVE)).options(options)
    return made.current(VariableOption(selected=True, text=first, value=first))


class _Transition(model.AnnotationQuery):
    """An annotation with its words, which the library's own model leaves out."""

    def __init__(self, name: str, colour: str, expr: str, text: str) -> None:
        super().__init__(name=name, datasource=SOURCE, enable=True, hide=False, icon_color=colour, expr=expr)
        self._text = text

    def to_json(self) -> dict[str, object]:
        """What Grafana's Prometheus data source reads."""
        return {**super().to_json(), "titleFormat": self.name, "textFormat": self._text}


def _transitions(metric: str, by: str) -> str:
    return f"{BROKER.rise(metric, by, window=PER_STEP)} > 0"


_BROKER_CHANGE: Final = "broker, from_state, to_state"
_TRANSITIONS: Final = (
    (
        "Broker condition",
        "blue",
        _transitions("sidecar_broker_state_transitions_total", _BROKER_CHANGE),
        "{{broker}}: {{from_state}} → {{to_state}}",
    ),
    (
        "Breaker",
        "red",
        _transitions("sidecar_breaker_transitions_total", f"{_BROKER_CHANGE}, group, reason"),
        "{{broker}} {{group}}: {{from_state}} → {{to_state}} ({{reason}})",
    ),
    (
        "Gate shut",
        "orange",
        _transitions("sidecar_rate_limit_gate_closures_total", "broker, outcome"),
        "{{broker}}: {{outcome}}",
    ),
)
_RESTARTS: Final = _Transition(
    "Restart",
    "purple",
    f"sum by (instance) (changes({SIDECAR.select('process_start_time_seconds')}[{PER_STEP}])) > 0",
    "{{instance}} started anew",
)


def _placed(sections: Sequence[Section]) -> list[Panel | model.RowPanel]:
    placed: list[Panel | model.RowPanel] = []
    top = 0
    for one in sections:
        heading = Row(one.title).build()
        heading.grid_pos = GridPos(h=1, w=COLUMNS, x=0, y=top)
        placed.append(heading)
        top += 1
        for shelf in one.lines:
            placed += _side_by_side(shelf, top)
            top += shelf.height
    for index, panel in enumerate(placed, start=1):
        panel.id_val = index
    return placed


def _side_by_side(shelf: Line, top: int) -> Sequence[Panel]:
    widths = shelf.widths or (COLUMNS // len(shelf.panels),) * len(shelf.panels)
    left = 0
    for panel, width in zip(shelf.panels, widths, strict=True):
        panel.grid_pos = GridPos(h=shelf.height, w=width, x=left, y=top)
        left += width
    return shelf.panels
