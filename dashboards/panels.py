"""The kinds of panel that the boards use, each always dressed in the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    RangeMap,
    Threshold,
    ThresholdsMode,
    ValueMap,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import Query
from dashboards.words import GREEN, NO_COLOUR, SEVERITY, Words, coloured, mapping

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

Steps = Sequence[tuple[float, str]]
"""From which value on which colour."""

_HEADINGS: Final = {"alertname": "Alert", "error_type": "Error"}

Builder = TypeVar("Builder", timeseries.Panel, stat.Panel, table.Panel, statetimeline.Panel, bargauge.Panel)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a query whose series have the table's labels."""

    title: str
    expr: str
    unit: str = "short"
    words: Words | None = None
    steps: Steps = ()
    width: int | None = None
    """Pixels; None shares what is left."""


def lines(
    title: str,
    unit: str,
    description: str,
    *queries: Query,
    stacked: bool = False,
    top: float | None = None,
    steps: Steps = (),
    colours: Mapping[str, str] = MappingProxyType({}),
) -> Panel:
    """Series over time.

    `top` is the axis' largest value where there is a natural one; `colours` are those of series by the end of their
    names.
    """
    panel = _dressed(timeseries.Panel(), title, unit, description, queries)
    panel.legend(
        VizLegendOptions()
        .show_legend(True)
        # A table would have room for three series, and take half of the panel for them.
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([])
    )
    panel.tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    panel.line_width(1).fill_opacity(60 if stacked else 8).show_points(VisibilityMode.NEVER).axis_soft_min(0)
    # By name, two series that stand side by side can have the same colour.
    panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC)).no_value("nothing in the shown time")
    for name, colour in colours.items():
        fixed = FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour).build()
        panel.override_by_regexp(f"/(^| ){name}$/", [DynamicConfigValue("color", fixed)])
    if stacked:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    if top is not None:
        panel.max(top)
    if steps:
        panel.thresholds(_thresholds(steps))
    return panel.build()


def number(
    title: str,
    unit: str,
    description: str,
    query: Query,
    *,
    words: Words | None = None,
    mappings: Sequence[ValueMap | RangeMap] = (),
    steps: Steps = (),
    none: str = "none",
) -> Panel:
    """What a value is now, large; several series stand side by side. `none` is what it says without any."""
    panel = _dressed(stat.Panel(), title, unit, description, [query], instant=True)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.BACKGROUND)
    panel.thresholds(_thresholds(steps)).color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.no_value(none)
    if query.legend:
        # A lone series would lose its name.
        panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    if unit == "short":
        panel.decimals(0)
    if words is not None:
        mappings = [mapping(words)]
    if mappings:
        panel.mappings([*mappings])
    if not steps and words is None:
        panel.color_mode(BigValueColorMode.NONE)
    return panel.build()


def timeline(title: str, description: str, words: Words, *queries: Query) -> Panel:
    """States over time, one row a series."""
    panel = _dressed(statetimeline.Panel(), title, "none", description, queries)
    panel.mappings([mapping(words)]).merge_values(True).show_value(VisibilityMode.AUTO).row_height(0.8)
    panel.fill_opacity(80).line_width(0)
    panel.thresholds(_thresholds(())).color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.legend(VizLegendOptions().show_legend(False).placement(LegendPlacement.BOTTOM))
    return panel.build()


def bars(
    title: str,
    unit: str,
    description: str,
    query: Query,
    *,
    top: float | None = None,
    words: Words | None = None,
    steps: Steps = (),
    bad: str = GREEN,
) -> Panel:
    """What values are now, side by side as bars. `bad` is the colour below the first step."""
    panel = _dressed(bargauge.Panel(), title, unit, description, [query], instant=True)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"])).orientation(VizOrientation.HORIZONTAL)
    panel.display_mode(BarGaugeDisplayMode.BASIC)
    panel.thresholds(_thresholds(steps, bad)).color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).min(0)
    if words is not None:
        panel.mappings([mapping(words)])
    if top is not None:
        panel.max(top)
    return panel.build()


def rows(title: str, description: str, labels: Sequence[str], columns: Sequence[Column], link: str = "") -> Panel:
    """A table with one row for each set of labels, sorted by its first column, worst first.

    `link` is the board that the first label leads to.
    """
    queries = [Query(column.expr) for column in columns]
    panel = _dressed(table.Panel(), title, "short", description, queries, instant=True, format_as=PromQueryFormat.TABLE)
    panel.thresholds(_thresholds(())).filterable(True).no_value("-")
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(_organized(labels, columns))
    panel.sort_by([TableSortByFieldState().display_name(columns[0].title).desc(True)])
    for column in columns:
        panel.override_by_name(column.title, _column_dress(column))
    if "severity" in labels:
        text = DynamicConfigValue("custom.cellOptions", {"type": "color-text"})
        panel.override_by_name("severity", [DynamicConfigValue("mappings", [coloured(SEVERITY)]), text])
    if link:
        panel.override_by_name(labels[0], [DynamicConfigValue("links", [_row_link(link, labels)])])
    return panel.build()


def _dressed(
    panel: Builder,
    title: str,
    unit: str,
    description: str,
    queries: Sequence[Query],
    *,
    instant: bool = False,
    format_as: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> Builder:
    panel.title(title).description(description).unit(unit).datasource(SOURCE)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        target = Dataquery().expr(query.expr).datasource(SOURCE).ref_id(letter).format(format_as)
        target.legend_format(query.legend or "__auto").exemplar(query.exemplars)
        panel.with_target(target.instant() if instant else target.range())
    return panel


def _thresholds(steps: Steps, first_colour: str = GREEN) -> ThresholdsConfig:
    first = Threshold(value=None, color=first_colour)
    rest = [Threshold(value=value, color=colour) for value, colour in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([first, *rest])


def _organized(labels: Sequence[str], columns: Sequence[Column]) -> DataTransformerConfig:
    # A single query's value has no letter.
    values = [f"Value #{letter}" for letter, _ in zip("ABCDEFGH", columns, strict=False)] if columns[1:] else ["Value"]
    order = {name: index for index, name in enumerate([*labels, *values])}
    titles = {label: _HEADINGS.get(label, label.capitalize()) for label in labels}
    titles |= {value: column.title for value, column in zip(values, columns, strict=True)}
    options = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": titles}
    return DataTransformerConfig(id_val="organize", options=options)


def _column_dress(column: Column) -> list[DynamicConfigValue]:
    dress = [DynamicConfigValue("unit", column.unit)]
    if column.unit == "short":
        dress.append(DynamicConfigValue("decimals", 0))
    if column.width is not None:
        dress.append(DynamicConfigValue("custom.width", column.width))
    if column.words is not None:
        dress.append(DynamicConfigValue("mappings", [mapping(column.words)]))
    if column.steps:
        dress.append(DynamicConfigValue("thresholds", _thresholds(column.steps, NO_COLOUR).build()))
    if column.words is not None or column.steps:
        dress.append(DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
    return dress


def _row_link(board: str, labels: Sequence[str]) -> object:
    chosen = "&".join(f"var-{label}=${{__data.fields.{label}}}" for label in labels)
    link = DashboardLink("Why?").type(DashboardLinkType.LINK)
    return link.url(f"/d/{board}?{chosen}&${{datasource:queryparam}}&${{__url_time_range}}").build()
