"""A board: sections of panels in reading order, with what all our boards share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from alerts.boards import panel_id
from alerts.links import Links
from dashboards.marks import marks
from dashboards.sdk import Builder, PanelBuilder, dashboard, model, text, text_model
from dashboards.variables import variables

TAG = "inferwatch"
"""On every board of ours: what `prune` may remove."""


@dataclass(frozen=True, slots=True)
class Section:
    """A question, and the panels that answer it, left to right and top to bottom."""

    title: str
    panels: Sequence[PanelBuilder]
    """Their widths must fill lines of 24 columns."""


@dataclass(frozen=True, slots=True)
class Board:
    """What one board is."""

    uid: str
    """Its address, `d/<uid>/<uid>`; alerts link to it, so it is an API."""
    title: str
    question: str
    """What it answers, and for whom."""
    tag: Literal["oncall", "analysis"]
    sections: Sequence[Section]
    variables: tuple[str, ...]
    """Names of what its reader can choose, each depending on those before it (variables.py)."""
    back: str = "30m"
    """How far back it opens."""
    refresh: str = "10s"
    points: int | None = None
    """Steps of each graph, at most; None: one for each pixel, which is too many for all GPUs over a day."""


def build(board: Board, links: Links) -> model.Dashboard:
    """The board as Grafana's classic model."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags([TAG, board.tag])
        .time(f"now-{board.back}", "now")
        .refresh(board.refresh)
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .links(_others())
        .variables(variables(links, board.variables))
    )
    for mark in marks():
        builder.annotation(mark)
    builder.with_panel(_opening(board))
    for section in board.sections:
        builder.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            builder.with_panel(panel)
    built = _numbered(builder.build())
    for shown in built.panels or ():
        if board.points and isinstance(shown, model.Panel) and shown.targets:
            shown.max_data_points = board.points
    return built


def _opening(board: Board) -> PanelBuilder:
    """The board's question in one line at its top, since Grafana shows a board's description nowhere on the board."""
    whom, _, question = board.question.partition(": ")
    words = f"**{whom}:** {question}"
    return text.Panel().mode(text_model.TextMode.MARKDOWN).content(words).transparent(True).span(24).height(2)


def _others() -> list[Builder[model.DashboardLink]]:
    """Ways to our other boards, at the same time and with the same choices."""
    return [
        dashboard.DashboardLink(title)
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG, tag])
        .as_dropdown(tag != "oncall")
        .include_vars(True)
        .keep_time(True)
        for title, tag in (("On call", "oncall"), ("Analysis", "analysis"))
    ]


def _numbered(built: model.Dashboard) -> model.Dashboard:
    """Panels with ids that follow from their titles: links to a panel survive a new neighbour."""
    for panel in built.panels or ():
        panel.id_val = panel_id(panel.title or panel.type_val)
    return built
