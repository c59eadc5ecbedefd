"""Reads the committed boards as Grafana would: their panels, what their variables become, which values are bad."""

import json
import re
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ROOT = Path(__file__).parents[1]
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards/generated").glob("*.json"))
}
BAD_COLORS = {"red", "orange", "yellow"}
RANGES = {"now-30m": 1800, "now-3h": 10800, "now-24h": 86400}


def panels_of(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every panel that shows data; rows are headings, and the text at the top is the board's question."""
    return [panel for panel in board["panels"] if panel["type"] not in ("row", "text")]


def each_panel() -> dict[str, dict[str, Any]]:
    """All panels by board and title."""
    return {f"{uid}: {panel['title']}": panel for uid, board in BOARDS.items() for panel in panels_of(board)}


def expand(expr: str, chosen: Mapping[str, str] | None = None, seconds: float = 1800) -> str:
    """A query as Grafana would send it, with everything chosen that is not said."""
    values = {"price": "2.50", "__range": f"{seconds:g}s"} | dict(chosen or {})
    return re.sub(r"\$(\w+)", lambda name: values.get(name.group(1), ".*"), expr)


def targets(panel: Mapping[str, Any], chosen: Mapping[str, str] | None = None, seconds: float = 1800) -> list[str]:
    """What a panel asks Prometheus for, without queries that only fetch exemplars."""
    return [expand(one["expr"], chosen, seconds) for one in panel["targets"] if not one.get("exemplar")]


def opened(url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The panel that a link to a board opens at, and what it chooses."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    [panel] = [one for one in panels_of(BOARDS[parts.path.split("/")[2]]) if one["id"] == int(query["viewPanel"])]
    return panel, {key.removeprefix("var-"): value for key, value in query.items() if key.startswith("var-")}


def bad_values(panel: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Ranges of values, from and up to but without, that a panel paints in a colour that means trouble."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", ()):
        for key, result in mapping["options"].items():
            if result["color"] in BAD_COLORS:
                yield float(key), float(key) + 1e-9
    steps = defaults["thresholds"]["steps"]
    for step, following in zip(steps, [*steps[1:], {"value": inf}], strict=True):
        if step["color"] in BAD_COLORS:
            yield -inf if step["value"] is None else step["value"], following["value"]


def trouble(panel: Mapping[str, Any], chosen: Mapping[str, str], seconds: float = 1800) -> str:
    """PromQL: 1 where any series that the panel draws is at a bad value, else 0."""
    parts = [
        f"(count((\n{expr}\n) >= {_number(low)} {'<=' if high == inf else '<'} {_number(high)}) or vector(0))"
        for expr in targets(panel, chosen, seconds)
        for low, high in bad_values(panel)
    ]
    return " + ".join(parts) + " > bool 0"


def _number(value: float) -> str:
    return {inf: "Inf", -inf: "-Inf"}.get(value, repr(value))


EMPTY: dict[str, tuple[str, str]] = {
    "fleet: Firing alerts": ("engine_dies", "nothing fires while all is well"),
    "fleet: When what fired": ("engine_dies", "nothing fired while all is well"),
    "gpu: Errors of the driver (XID)": ("gpu_reports_fatal_xid", "a healthy GPU reports none"),
    "gpu: Held back": ("gpu_is_throttled_by_heat", "nothing holds a healthy GPU back"),
    "gpu: Repairs that are due": ("gpu_waits_for_reset", "a healthy GPU asks for none"),
    "gpu-fleet: Cards to repair or replace": ("gpu_waits_for_reset", "a healthy card asks for none"),
    "gpu-fleet: GPUs with errors of the driver, by XID": ("gpu_reports_fatal_xid", "a healthy GPU reports none"),
    "gpu-fleet: GPUs that are held back, by reason": ("gpu_is_throttled_by_heat", "nothing holds a healthy GPU back"),
    "service: Failed requests, by reason": ("requests_fail_in_bursts", "no request fails while all is well"),
    "fleet: Failed requests": ("requests_fail_in_bursts", "no request fails while all is well"),
    "telemetry: Targets that do not answer": ("exporter_dies", "every target answers while all is well"),
    "service: Pace, against the usual": ("", "below one request at a time, as under this load, an engine has no pace"),
    "telemetry: Spans lost": ("", "the native stack has no collector to lose them on the way to"),
}
"""Panels that may have no data under load: the drill that fills each, and why it is empty otherwise."""
EMPTY_QUERIES: dict[str, str] = {
    "telemetry: Alerts, by severity": "nothing waits for its time to fire while all is well",
    "slo: Promises": "the days until a budget is gone are there only while it burns faster than allowed",
    "slo: How near to a message": "the ticket's windows of six hours and three days need hours of requests",
    "slo: Burn rate, by window": "the ticket's windows of six hours and three days need hours of requests",
    "fleet: How near to a message": "the ticket's windows of six hours and three days need hours of requests",
    "gpu: Network errors": "cards without a cable count no packets",
    "fleet: Worst GPUs": "no GPU has a share of time in which it was held back, where none was",
    "fleet: Worst engines": "broken ones before all others: the state of a dead engine has no queue",
}
"""Panels of which one query, but not all, may have no data under load, and why."""
