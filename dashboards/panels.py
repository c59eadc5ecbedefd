"""House constructors of panels: what every panel must say, and how ours look.

A panel without a question, a unit or a text for "no data" cannot be made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from alerts.boards import PANELS
from dashboards.sdk import (
    Builder,
    PanelBuilder,
    common,
    common_model,
    dashboard,
    model,
    prometheus,
    prometheus_model,
    stat,
    statetimeline,
    table,
    timeseries,
)
from dashboards.variables import RUNBOOKS, SOURCE

BAD = "red"
"""Users are hurt, or a part is dead: act."""
WARN = "orange"
"""Look at it today."""
GOOD = "green"
PLAIN = "transparent"
"""No judgement."""
QUIET = "text"
"""A line that others are held against, or that nobody has to look at: grey."""

Thresholds = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first value is None, for everything below the second."""
NEUTRAL: Thresholds = ((None, PLAIN),)
"""No value of this is good or bad by itself."""
_ROOM = 1.25
"""How far beyond a threshold the axis goes, so that what is bad can be seen to lie there; not where whole things are
counted, since the next mark beyond 1 is 2, and half of a quiet panel would be tinted."""


def above(limit: float, color: str = WARN) -> Thresholds:
    """Bad from a value on."""
    return ((None, PLAIN), (limit, color))


def below(limit: float, color: str = WARN) -> Thresholds:
    """Bad up to a value."""
    return ((None, color), (limit, PLAIN))


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression of a panel."""

    expr: str
    legend: str = ""
    """Grafana's legend format; columns of a table need none."""
    exemplars: bool = False
    """Whether traces of single requests are drawn as dots; the expression then names the series that have them."""


@dataclass(frozen=True, slots=True)
class Said:
    """What every panel says about itself."""

    title: str
    question: str
    """The description: what the panel answers, what bad looks like, what it leaves out."""
    unit: str
    """An id of Grafana's units."""
    nothing: str
    """Shown where there is no data, which is not the same as 0."""
    width: int
    """Of the grid's 24 columns."""
    height: int = 8
    decimals: int | None = None
    """Digits after the point: 0 for what is counted, which has no halves; None lets Grafana choose."""


class _Panel(Protocol):
    """The part of the SDK's panel builders that all kinds share."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def decimals(self, decimals: float) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def datasource(self, datasource: common_model.DataSourceRef) -> Self: ...
    def thresholds(self, thresholds: Builder[model.ThresholdsConfig]) -> Self: ...
    def links(self, links: list[Builder[model.DashboardLink]]) -> Self: ...


PanelT = TypeVar("PanelT", bound=_Panel)


def big_number(said: Said, expr: str, *, thresholds: Thresholds) -> PanelBuilder:
    """One number of this moment."""
    return (
        _house(stat.Panel(), said, thresholds)
        .with_target(_instant(Query(expr), "A"))
        .color_mode(common_model.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .justify_mode(common_model.BigValueJustifyMode.CENTER)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def lines(  # noqa: PLR0913 - each is a choice that a reader of a board should see
    said: Said,
    queries: Sequence[Query],
    *,
    thresholds: Thresholds = NEUTRAL,
    limits: tuple[float | None, float | None] = (0, None),
    dashed: str = "",
    dotted: str = "",
    in_view: Sequence[float] | None = None,
    bands: bool = True,
    colored: Mapping[str, str] | None = None,
    logarithmic: bool = False,
) -> PanelBuilder:
    """Values over time; the legend gives the last.

    Args:
        said: What the panel says about itself.
        queries: What is drawn.
        thresholds: Drawn as lines where there is more than one colour.
        limits: Ends of the axis; None lets Grafana choose.
        dashed: Regular expression of the names that are drawn dashed.
        dotted: And of those that are drawn as dots, in grey: what the others are held against.
        in_view: Values that the axis always shows; by default the last threshold, which may be far from what is drawn,
            with some room beyond it. An end that `limits` sets stays where it is.
        bands: Whether the bad side of a threshold is tinted; not where it is most of the panel.
        colored: Colours by regular expression of the names, where a colour means something.
        logarithmic: Whether the axis shows tenfold steps; `limits` must then not begin at 0.
    """
    panel = _house(timeseries.Panel(), said, thresholds)
    for query, letter in zip(queries, "ABCDEF", strict=False):
        panel.with_target(_range(query, letter))
    if in_view is None:
        room = 1 if said.decimals == 0 else _ROOM
        in_view = [room * step for step, _ in thresholds[1:] if step is not None][-1:]
    _axis(panel, limits, in_view)
    if len(thresholds) > 1:
        style = common_model.GraphThresholdsStyleMode
        mode = style.DASHED_AND_AREA if bands else style.DASHED
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(mode))
    if logarithmic:
        panel.scale_distribution(common.ScaleDistributionConfig().type(common_model.ScaleDistribution.LOG).log(10))
    for names, color in (colored or {}).items():
        panel.override_by_regexp(names, [_fixed(color)])
    if dashed:
        panel.override_by_regexp(dashed, [_line("dash", 6, 4)])
    if dotted:
        panel.override_by_regexp(dotted, [_line("dot", 0, 5), _fixed(QUIET)])
    return _lines_style(panel)


def states(said: Said, query: Query, words: Mapping[str, tuple[str, str]]) -> PanelBuilder:
    """A bar per series whose colour is its state over time.

    Args:
        said: What the panel says about itself.
        query: Its values are the keys of `words`.
        words: Word and colour for each value.
    """
    return (
        _house(statetimeline.Panel(), said, NEUTRAL)
        .with_target(_range(query, "A"))
        .mappings([_mapping(words)])
        .merge_values(True)
        .show_value(common_model.VisibilityMode.NEVER)
        .fill_opacity(85)
        .line_width(0)
        .row_height(0.8)
        .legend(_legend(common_model.LegendDisplayMode.LIST))
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.SINGLE))
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    field: str
    """The label, or `Value #A` for the value of the first query."""
    title: str
    properties: tuple[tuple[str, object], ...] = ()
    """Grafana's field properties that differ from the panel's."""


def rows(
    said: Said, queries: Sequence[str], columns: Sequence[Column], *, sort_by: Sequence[str], wraps: bool = False
) -> PanelBuilder:
    """A row per combination of labels, a column per label or query, at this moment.

    Args:
        said: What the panel says about itself.
        queries: Their labels must agree.
        columns: In order; what is not listed is left out.
        sort_by: Titles of columns, ascending; a leading `-` means descending.
        wraps: Whether a cell may hold two lines of text.
    """
    height = common_model.TableCellHeight.LG if wraps else common_model.TableCellHeight.SM
    panel = _house(table.Panel(), said, NEUTRAL).cell_height(height)
    for expr, letter in zip(queries, "ABCDEF", strict=False):
        panel.with_target(_instant(Query(expr), letter).format(prometheus_model.PromQueryFormat.TABLE))
    organize = {
        "includeByName": {column.field: True for column in columns},
        "indexByName": {column.field: index for index, column in enumerate(columns)},
        "renameByName": {column.field: column.title for column in columns},
    }
    if len(queries) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=organize))
    for column in columns:
        if column.properties:
            properties = [model.DynamicConfigValue(id_val, value) for id_val, value in column.properties]
            panel.override_by_name(column.title, properties)
    order = [(name.removeprefix("-"), name.startswith("-")) for name in sort_by]
    return panel.sort_by([common.TableSortByFieldState().display_name(name).desc(desc) for name, desc in order])


def painted(thresholds: Thresholds) -> tuple[tuple[str, object], ...]:
    """Properties that paint a column's cells by value."""
    steps = [{"value": value, "color": color} for value, color in thresholds]
    return (("thresholds", {"mode": "absolute", "steps": steps}), _PAINT)


def worded(words: Mapping[str, tuple[str, str]], *, paint: bool = True) -> tuple[tuple[str, object], ...]:
    """Properties that replace a column's values by words, and paint them."""
    mapping = ("mappings", [_mapping(words).to_json()])
    return (mapping, _PAINT) if paint else (mapping,)


_PAINT = ("custom.cellOptions", {"type": "color-background", "mode": "basic"})


def _house(panel: PanelT, said: Said, thresholds: Thresholds) -> PanelT:
    steps = [model.Threshold(value=value, color=color) for value, color in thresholds]
    if said.decimals is not None:
        panel.decimals(said.decimals)
    return (
        panel.title(said.title)
        .description(said.question)
        .unit(said.unit)
        .no_value(said.nothing)
        .span(said.width)
        .height(said.height)
        .datasource(SOURCE)
        .links([_runbook(alert) for alert, title in PANELS.items() if title == said.title])
        .thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    )


def _runbook(alert: str) -> Builder[model.DashboardLink]:
    """A link in the panel's corner: what to do where it shows that this alert's condition holds."""
    link = dashboard.DashboardLink(f"Runbook of {alert}").type(model.DashboardLinkType.LINK)
    return link.url(f"${{{RUNBOOKS}:raw}}/{alert}").target_blank(True)


def _axis(panel: timeseries.Panel, limits: tuple[float | None, float | None], in_view: Sequence[float]) -> None:
    """Set the ends of the axis; those that Grafana chooses go at least as far as what is to be in view."""
    lowest, highest = limits
    if lowest is not None:
        panel.min(lowest)
    elif in_view:
        panel.axis_soft_min(min(*in_view, 0))
    if highest is not None:
        panel.max(highest)
    elif in_view:
        panel.axis_soft_max(max(*in_view, 0))


def _lines_style(panel: timeseries.Panel) -> PanelBuilder:
    return (
        panel.line_width(1.5)
        .fill_opacity(0)
        .show_points(common_model.VisibilityMode.NEVER)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .legend(_legend(common_model.LegendDisplayMode.LIST).calcs(["last"]))
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_model.TooltipDisplayMode.MULTI)
            .sort(common_model.SortOrder.DESCENDING)
        )
    )


def _legend(mode: common_model.LegendDisplayMode) -> common.VizLegendOptions:
    return common.VizLegendOptions().display_mode(mode).placement(common_model.LegendPlacement.BOTTOM).show_legend(True)


def _line(fill: str, drawn: int, left_out: int) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("custom.lineStyle", {"fill": fill, "dash": [drawn, left_out]})


def _fixed(color: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _mapping(words: Mapping[str, tuple[str, str]]) -> model.ValueMap:
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


def _range(query: Query, letter: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).range().ref_id(letter)
    return target.exemplar(True) if query.exemplars else target


def _instant(query: Query, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).instant().ref_id(letter)
