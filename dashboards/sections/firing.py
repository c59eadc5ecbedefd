"""What fires: the first thing to look at, on any board for people on call."""

import re

from alerts.rules import catalogue
from dashboards.board import Section
from dashboards.limits import OBJECTIVES, TIMING
from dashboards.panels import BAD, PLAIN, WARN, Column, Query, Said, above, big_number, rows, states, worded
from dashboards.sdk import PanelBuilder
from dashboards.variables import RUNBOOKS

_ROWS = 15
"""Of each severity in the table."""
_WITHOUT = (("noValue", "-"),)
"""An empty cell of a column would show the panel's text for no data."""
_TALL = 9
"""So that five alerts with two lines of text each can be read at once."""
_LATEST = 12
"""Rows of the history."""
_CLUSTER = 'cluster=~"$cluster|"'
"""Of the chosen clusters, and what belongs to none."""
_WATCHDOG = 'ALERTS{alertname="Watchdog", alertstate="firing"}'


def section() -> Section:
    """How many alerts fire, which, and since when."""
    return Section("Is anything broken?", (_pages(), _tickets(), _table(), _history()))


def _pages() -> PanelBuilder:
    said = Said(
        "Pages",
        "Does anything need a person now? The number of firing pages; red from 1.",
        unit="none",
        nothing="No rules run",
        width=3,
        height=_TALL,
    )
    return big_number(said, _count("page"), thresholds=above(1, BAD))


def _tickets() -> PanelBuilder:
    said = Said(
        "Tickets",
        "Is there work for office hours? The number of firing tickets; orange from 1.",
        unit="none",
        nothing="No rules run",
        width=3,
        height=_TALL,
    )
    return big_number(said, _count("ticket"), thresholds=above(1))


def _table() -> PanelBuilder:
    said = Said(
        "Firing alerts",
        "What is broken, who is hurt, and since when? Red: a person has to act now. Pages first, then the oldest, "
        "which is often the cause. Filtered by cluster only: the cause of a service's trouble may carry another "
        "service's name. A click on the alert opens its runbook, one on the service or host its board.",
        unit="none",
        nothing="Nothing fires",
        width=18,
        height=_TALL,
    )
    labels = "severity, alertname, cluster, service, host, gpu"
    started = " or ".join(
        f"topk({_ROWS}, max by ({labels}) (1000 * (ALERTS_FOR_STATE{{{_CLUSTER}}} and ignoring (alertstate) "
        f"{_firing(severity)})))"
        for severity in ("page", "ticket")
    )
    # The alert's name once more, for a column that says what it means.
    started = f'label_replace({started}, "impact", "$1", "alertname", "(.*)")'
    runbook = _link("Runbook", f"${{{RUNBOOKS}:raw}}/${{__value.raw}}", new_tab=True)
    service = _link("Board of the service", "/d/service/service?var-service=${__value.raw}&${__url_time_range}")
    host = _link("Board of the host", "/d/gpu/gpu?var-host=${__value.raw}&${__url_time_range}")
    columns = (
        Column("severity", "Severity", (*worded({"page": ("page", BAD), "ticket": ("ticket", WARN)}), _wide(80))),
        Column("alertname", "Alert", (("links", [runbook]), _wide(190))),
        Column("impact", "Who is hurt", (*worded(_impacts(), paint=False), ("custom.wrapText", True))),
        Column("service", "Service", (*_WITHOUT, ("links", [service]), _wide(120))),
        Column("host", "Host", (*_WITHOUT, ("links", [host]), _wide(120))),
        Column("gpu", "GPU", (*_WITHOUT, _wide(60))),
        Column("cluster", "Cluster", (*_WITHOUT, _wide(90))),
        Column("Value", "Since", (("unit", "dateTimeFromNow"), _wide(130))),
    )
    return rows(said, [started], columns, sort_by=["Severity", "Since"], wraps=True)


def _history() -> PanelBuilder:
    said = Said(
        "When what fired",
        f"What came first? Pages (red) and tickets (orange) of the time shown, the {_LATEST} latest. What began "
        "together has one cause.",
        unit="none",
        nothing="Nothing fired in this time",
        width=24,
        height=8,
    )
    labels = "alertname, service, host, gpu"
    shown = " or ".join(
        f"{value} * (max by ({labels}) ({_firing(severity)}))" for severity, value in (("page", 2), ("ticket", 1))
    )
    # The latest ones of the whole range, whether they still fire or not.
    latest = f"max by ({labels}) (max_over_time(ALERTS_FOR_STATE{{{_CLUSTER}}}[$__range] @ end()))"
    # Grafana writes the name of a label that is not there, so one label holds those that are.
    numbered = (
        f'label_replace(({shown})\nand topk({_LATEST}, {latest} and {_told(labels)}), "n", "GPU $1", "gpu", "(.+)")'
    )
    named = f'label_join({numbered}, "subject", " ", "service", "host", "n")'
    return states(said, Query(named, "{{alertname}} {{subject}}"), {"2": ("page", BAD), "1": ("ticket", WARN)})


def _told(labels: str) -> str:
    """Alerts of the range that a person could hear of."""
    told = f'ALERTS{{severity=~"page|ticket", alertstate="firing", {_CLUSTER}}}'
    return f"max by ({labels}) (max_over_time({told}[$__range] @ end()))"


def _impacts() -> dict[str, tuple[str, str]]:
    """What each alert means for users, without the names that only a message knows."""
    known = catalogue(TIMING, OBJECTIVES).values()
    return {alert.name: (_plain(alert.impact), PLAIN) for alert in known if alert.severity != "none"}


def _plain(impact: str) -> str:
    named = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda label: f"the {label.group(1)}", impact)
    return named[0].upper() + named[1:]


def _link(title: str, url: str, *, new_tab: bool = False) -> dict[str, object]:
    return {"title": title, "url": url, "targetBlank": new_tab}


def _wide(pixels: int) -> tuple[str, object]:
    return ("custom.width", pixels)


def _firing(severity: str) -> str:
    """Alerts of the chosen clusters, and those that belong to none."""
    return f'ALERTS{{alertstate="firing", severity="{severity}", {_CLUSTER}}}'


def _count(severity: str) -> str:
    """How many fire; 0 only where the heartbeat shows that rules are evaluated, otherwise nothing."""
    return f"count({_firing(severity)}) or 0 * max({_WATCHDOG})"
