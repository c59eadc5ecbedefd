"""What fires: the first thing to look at, on any board for people on call."""

from dashboards.board import Section
from dashboards.panels import BAD, PLAIN, WARN, Column, Said, big_number, rows, worded
from dashboards.sdk import PanelBuilder
from dashboards.variables import RUNBOOKS

_ROWS = 15
"""Of each severity in the table."""
_WITHOUT = (("noValue", "-"),)
"""An empty cell of a column would show the panel's text for no data."""
_WATCHDOG = 'ALERTS{alertname="Watchdog", alertstate="firing"}'


def section() -> Section:
    """How many alerts fire, and which."""
    return Section("Is anything broken?", (_pages(), _tickets(), _table()))


def _pages() -> PanelBuilder:
    said = Said(
        "Pages",
        "Does anything need a person now? The number of firing pages; red from 1.",
        unit="none",
        nothing="No rules run",
        width=3,
        height=7,
    )
    return big_number(said, _count("page"), thresholds=((None, PLAIN), (1, BAD)))


def _tickets() -> PanelBuilder:
    said = Said(
        "Tickets",
        "Is there work for office hours? The number of firing tickets; orange from 1.",
        unit="none",
        nothing="No rules run",
        width=3,
        height=7,
    )
    return big_number(said, _count("ticket"), thresholds=((None, PLAIN), (1, WARN)))


def _table() -> PanelBuilder:
    said = Said(
        "Firing alerts",
        "What is broken, and since when? Pages first, then the oldest: often the cause. Filtered by cluster only: "
        "the cause of a service's trouble may carry another service's name. A click on the alert opens its runbook.",
        unit="none",
        nothing="Nothing fires",
        width=18,
        height=7,
    )
    labels = "severity, alertname, cluster, service, host, gpu"
    started = " or ".join(
        f"topk({_ROWS}, max by ({labels}) (1000 * (ALERTS_FOR_STATE and ignoring (alertstate) {_firing(severity)})))"
        for severity in ("page", "ticket")
    )
    link = {"title": "Runbook", "url": f"${{{RUNBOOKS}:raw}}/${{__value.raw}}", "targetBlank": True}
    severities = {"page": ("page", BAD), "ticket": ("ticket", WARN)}
    columns = (
        Column("severity", "Severity", (*worded(severities), ("custom.width", 90))),
        Column("alertname", "Alert", (("links", [link]), ("custom.width", 240))),
        Column("service", "Service", _WITHOUT),
        Column("host", "Host", _WITHOUT),
        Column("gpu", "GPU", (*_WITHOUT, ("custom.width", 70))),
        Column("cluster", "Cluster", _WITHOUT),
        Column("Value", "Since", (("unit", "dateTimeFromNow"), ("custom.width", 160))),
    )
    return rows(said, [started], columns, sort_by=["Severity", "Since"])


def _firing(severity: str) -> str:
    """Alerts of the chosen clusters, and those that belong to none."""
    return f'ALERTS{{alertstate="firing", severity="{severity}", cluster=~"$cluster|"}}'


def _count(severity: str) -> str:
    """How many fire; 0 only where the heartbeat shows that rules are evaluated, otherwise nothing."""
    return f"count({_firing(severity)}) or 0 * max({_WATCHDOG})"
