"""Promises to users (SLOs): how near they are to an alert, how fast their budgets burn, what is left of them."""

from alerts import signals
from alerts.objectives import Promise
from alerts.rules.slo import FAST, SLOW, Condition, conditions
from dashboards.board import Section
from dashboards.limits import OBJECTIVES, TIMING
from dashboards.panels import BAD, PLAIN, WARN, Column, Query, Said, above, lines, painted, rows
from dashboards.queries import LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import IN_SERVICE

_HALF = 12
_NAME = "{{slo}}"
_FEW = 3
"""Lines of each window."""
_PERIOD = f"{OBJECTIVES.period_days:g} days"
_MARGIN = 0.25
"""Of a budget: with so little left, one more incident breaks the promise."""


def now() -> Section:
    """Whether anybody has to act on a promise, and what is left of it."""
    return Section("Are promises to users kept?", (_table(), nearness(width=_HALF), _left()))


def pace() -> Section:
    """How fast budgets burn, by window, and by how many requests."""
    return Section("How fast do their budgets burn?", (_burn(), _bad(), _asked()))


def nearness(width: int) -> PanelBuilder:
    """How near each promise is to its page and its ticket."""
    said = Said(
        "How near to a message",
        "Is a promise about to page, or to open a ticket (dashed)? Burnt so fast, of what its alert fires "
        "at: red from 1, where it "
        f"fires. The {LINES} nearest promises. Looks at the windows that the alert looks at.",
        unit="none",
        nothing="No promise has seen enough requests",
        width=width,
    )
    queries = [
        Query(f"{_nearest(alert)}\nand topk({LINES}, {_nearest(alert, ' @ end()')})", name)
        for alert, name in ((FAST, _NAME), (SLOW, f"{_NAME} ticket"))
    ]
    return lines(said, queries, thresholds=above(1, BAD), dashed="/ ticket$/")


def _nearest(alert: str, at: str = "") -> str:
    """For each promise, the greatest share of a condition that holds, which is that of its smaller window."""
    shares = [
        _share(promise, condition, at)
        for promise in OBJECTIVES.promises
        for condition in conditions(promise, TIMING, OBJECTIVES)[alert]
    ]
    return "max by (cluster, namespace, service, slo) (\n  " + "\n  or ".join(shares) + "\n)"


def _share(promise: Promise, condition: Condition, at: str) -> str:
    long, short = (f"{window.where(**IN_SERVICE, slo=promise.slo)}{at}" for window in (condition.long, condition.short))
    # Told apart by a label, so that `or` keeps every condition of a promise.
    smaller = f"({long} < {short} or {short}) / {condition.threshold:g}"
    return f'label_replace({smaller}, "window", "{condition.long.name}", "", "")'


def _table() -> PanelBuilder:
    said = Said(
        "Promises",
        f"What is left? Of each promise: its objective, the part of the {_PERIOD}' budget that is left, and when that "
        "is gone if the next days are as the last three: never, where they burn less than the budget allows. Orange "
        f"below {_MARGIN:.0%}, red at 0: broken.",
        unit="percentunit",
        nothing="No promise is made in alerts/objectives.yaml, or nothing was asked for",
        width=_HALF,
    )
    by = "cluster, namespace, service, slo"
    left, objective = (
        f"max by ({by}) (last_over_time({signal.where(**IN_SERVICE).over('1h')}))"
        for signal in (signals.SLO_BUDGET_REMAINING, signals.SLO_OBJECTIVE)
    )
    long = conditions(OBJECTIVES.promises[0], TIMING, OBJECTIVES)[SLOW][0].long if OBJECTIVES.promises else None
    lowest = f"bottomk({LINES}, {left})"
    burn = f"max by ({by}) ({long.where(**IN_SERVICE)}) / (1 - {objective})" if long else "vector(0)"
    days = f"({left}) * {OBJECTIVES.period_days:g} / ({burn} > 1)"
    queries = [lowest, f"{objective} and {lowest}", f"{days} and {lowest}"]
    columns = (
        Column("slo", "Promise"),
        Column("cluster", "Cluster", (("custom.width", 120),)),
        Column("Value #B", "Objective", (("decimals", 2), ("custom.width", 100))),
        Column(
            "Value #A",
            "Budget left",
            (*painted(((None, BAD), (0, WARN), (_MARGIN, PLAIN))), ("custom.width", 110), ("decimals", 1)),
        ),
        Column("Value #C", "Gone in", (("unit", "d"), ("noValue", "never"), ("custom.width", 110), ("decimals", 1))),
    )
    return rows(said, queries, columns, sort_by=["Budget left"])


def _left() -> PanelBuilder:
    said = Said(
        "Budget left",
        f"Where is the budget of {_PERIOD} going? The part that is left; the {LINES} lowest. A step down is an "
        "incident, a slope a habit. Red at 0: the promise is broken. Rises as bad days grow older than the period.",
        unit="percentunit",
        nothing="No promise has a budget yet: it takes a few minutes of requests",
        width=24,
    )
    expr = worst(
        "bottomk",
        LINES,
        "max by (cluster, namespace, service, slo) ({left})",
        left=signals.SLO_BUDGET_REMAINING.where(**IN_SERVICE),
    )
    bands = ((None, BAD), (0, WARN), (_MARGIN, PLAIN))
    return lines(said, [Query(expr, _NAME)], thresholds=bands, limits=(None, 1), in_view=(0,))


def _burn() -> PanelBuilder:
    said = Said(
        "Burn rate, by window",
        f"How many times faster than allowed is the budget spent? 1 spends it in {_PERIOD} exactly. Short windows "
        f"first tell of a fault, long ones of its weight; the {_FEW} fastest of each. Bad: long windows above 1.",
        unit="none",
        nothing="No window has seen enough requests",
        width=_HALF,
        height=10,
    )
    windows = {
        condition.long.name: condition.long
        for promise in OBJECTIVES.promises
        for found in conditions(promise, TIMING, OBJECTIVES).values()
        for condition in found
    }
    by = "cluster, namespace, service, slo"
    shown = f"max by ({by}) ({{bad}}) / (1 - max by ({by}) ({{objective}}))"
    queries = [
        Query(
            worst(
                "topk",
                _FEW,
                shown,
                bad=window.where(**IN_SERVICE),
                objective=signals.SLO_OBJECTIVE.where(**IN_SERVICE),
            ),
            f"{_NAME} over {name.rpartition('rate')[2]}",
        )
        for name, window in windows.items()
    ]
    return lines(said, queries, thresholds=above(1))


def _bad() -> PanelBuilder:
    said = Said(
        "Requests that broke a promise",
        f"How many users were hurt? Requests a second that failed or came too late; the {LINES} promises with "
        "most. Bad: any for "
        "long, however few.",
        unit="reqps",
        nothing="No promise is made in alerts/objectives.yaml, or nothing was asked for",
        width=6,
        height=10,
    )
    return lines(said, [Query(_most(signals.SLO_BAD), _NAME)], in_view=(1,))


def _asked() -> PanelBuilder:
    said = Said(
        "Requests that it is about",
        f"Of how many? Requests a second that a promise counts; the {LINES} with most. Bad: under "
        f"{OBJECTIVES.min_rate:g} a second, a window says nothing, and no alert fires.",
        unit="reqps",
        nothing="No promise is made in alerts/objectives.yaml, or nothing was asked for",
        width=6,
        height=10,
    )
    return lines(said, [Query(_most(signals.SLO_TOTAL), _NAME)], in_view=(1,))


def _most(signal: signals.Signal) -> str:
    shown = "sum by (cluster, namespace, service, slo) ({signal})"
    return worst("topk", LINES, shown, signal=signal.where(**IN_SERVICE))
