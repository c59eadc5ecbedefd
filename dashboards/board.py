"""A board: sections of panels in reading order, with what all our boards share."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from alerts.links import Links
from dashboards.sdk import PanelBuilder, dashboard, model
from dashboards.variables import SOURCE, variables

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
    tag: str
    """`oncall` or `analysis`."""
    sections: Sequence[Section]


def build(board: Board, links: Links) -> model.Dashboard:
    """The board as Grafana's classic model."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.question)
        .tags([TAG, board.tag])
        .time("now-30m", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .variables(variables(links))
        .annotation(_pages())
    )
    for section in board.sections:
        builder.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            builder.with_panel(panel)
    return _numbered(builder.build())


def _pages() -> dashboard.AnnotationQuery:
    """A mark over every graph while a page fires."""
    return (
        dashboard.AnnotationQuery()
        .name("Firing pages")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("red")
        .title_format("{{alertname}}")
        .text_format("{{service}} {{host}}")
        .expr('ALERTS{alertstate="firing", severity="page", cluster=~"$cluster|"}')
    )


def _numbered(built: model.Dashboard) -> model.Dashboard:
    """Panels with ids that follow from their titles: links to a panel survive a new neighbour."""
    for panel in built.panels or ():
        panel.id_val = zlib.crc32((panel.title or "").encode()) % 1_000_000
    return built
