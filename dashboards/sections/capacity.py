"""What the GPUs are paid for: tokens for their time, energy and price, and how many replicas the demand needs."""

from alerts import signals
from dashboards.board import Section
from dashboards.limits import window
from dashboards.panels import BAD, NEUTRAL, PLAIN, WARN, Column, Query, Said, big_number, lines, painted, rows
from dashboards.queries import LINES
from dashboards.sdk import PanelBuilder
from dashboards.variables import IN_SERVICE, PRICE

_THIRD = 8
_ROWS = 15
_MINUTE = 60
_HOUR = 3600
_MILLION = 1e6
_CLUSTER = {"cluster__re": "$cluster"}
_BY = "cluster, namespace, service"
_NAME = "{{cluster}}/{{service}}"
_BUSY = 0.8
"""Of the measured knee: a burst of a quarter more then still gets through in time."""


def worth() -> Section:
    """What is got for the time, energy and price of all GPUs."""
    figures = (
        ("Tokens per GPU hour", "short", _per_hour(), "How many tokens does an hour of one GPU make?"),
        ("Tokens per joule", "short", _per_joule(), "How many tokens does a joule make, idle GPUs' joules too?"),
        ("Cost of a million tokens", "currencyUSD", _cost(), "What do a million tokens cost, at the price set above?"),
    )
    now = (_number(title, question, unit, expr) for title, unit, expr, question in figures)
    since = (_over_time(f"{title}, by cluster", question, unit, expr) for title, unit, expr, question in figures)
    return Section("What do we get for our GPUs?", (*now, *since))


def room() -> Section:
    """How much more the replicas take."""
    return Section("How many replicas does the demand need?", (_table(), _load(), _tokens()))


def _generated() -> str:
    return f"sum by (cluster) ({signals.GENERATED_TOKENS.where(**_CLUSTER)})"


def _gpus() -> str:
    return f"count by (cluster) ({signals.GPU_UP.where(**_CLUSTER)})"


def _per_hour() -> str:
    return f"{_HOUR} * {_generated()} / {_gpus()}"


def _per_joule() -> str:
    # Over the minute that the tokens are counted over: power falls at once when work ends.
    drawn = signals.GPU_POWER.where(**_CLUSTER).over(window(_MINUTE))
    return f"{_generated()} / sum by (cluster) (avg_over_time({drawn}))"


def _cost() -> str:
    # Above 0: no price of nothing.
    return f"{_MILLION:g} * ${PRICE} * {_gpus()} / ({_HOUR} * {_generated()} > 0)"


def _number(title: str, question: str, unit: str, per_cluster: str) -> PanelBuilder:
    said = Said(
        title,
        f"{question} The mean of the chosen clusters now. No value is bad by itself; compare with yesterday's.",
        unit=unit,
        nothing="No tokens, or no GPUs",
        width=_THIRD,
        height=5,
    )
    return big_number(said, f"avg({per_cluster})", thresholds=NEUTRAL)


def _over_time(title: str, question: str, unit: str, per_cluster: str) -> PanelBuilder:
    said = Said(
        title,
        f"{question} At most {LINES} clusters. Bad: worse at the same demand than before a change.",
        unit=unit,
        nothing="No tokens, or no GPUs",
        width=_THIRD,
    )
    # What few tokens cost, while a service wakes up, is a thousand times the usual.
    money = unit.startswith("currency")
    query = Query(f"topk({LINES}, {per_cluster})", "{{cluster}}")
    return lines(said, [query], limits=(None if money else 0, None), logarithmic=money)


def _table() -> PanelBuilder:
    said = Said(
        "Replicas for the demand",
        "Are there too few replicas, or too many? By the knee: demand over what one replica takes before answers come "
        "late, as the load generator measured it. By a queue: what keeps the mean wait within its limit were the "
        "service an M/M/n queue (Erlang C), a first-order figure: engines batch, and arrivals come in bursts. Both "
        "limits stand in alerts/objectives.yaml. Red: fewer are healthy than the knee asks for.",
        unit="none",
        nothing="No service has its capacity in alerts/objectives.yaml: measure it with inference.load --find-knee",
        width=24,
        height=7,
    )
    demand, capacity, healthy, queue = (
        f"max by ({_BY}) ({signal.where(**IN_SERVICE)})"
        for signal in (
            signals.DEMAND,
            signals.REPLICA_CAPACITY,
            signals.REPLICAS_HEALTHY,
            signals.REPLICAS_FOR_WAIT,
        )
    )
    first = f"topk({_ROWS}, {demand} / {capacity})"
    queries = [
        f"{demand} and {first}",
        f"{capacity} and {first}",
        f"{healthy} and {first}",
        f"ceil({first})",
        f"{queue} and {first}",
        f"{healthy} - ceil({first})",
    ]
    columns = (
        Column("service", "Service"),
        Column("cluster", "Cluster"),
        Column("Value #A", "Demand", (("unit", "reqps"), ("decimals", 2))),
        Column("Value #B", "One replica takes (knee)", (("unit", "reqps"), ("decimals", 2))),
        Column("Value #C", "Healthy replicas"),
        Column("Value #D", "Needed by the knee"),
        Column("Value #E", "By a queue (first order)"),
        Column("Value #F", "To spare by the knee", painted(((None, BAD), (0, PLAIN)))),
    )
    return rows(said, queries, columns, sort_by=["To spare by the knee"])


def _load() -> PanelBuilder:
    said = Said(
        "Load, of the measured knee",
        "How much more can the healthy replicas take? Demand over what they take together; at 1 answers come late. "
        f"Orange from {_BUSY:.0%}: order more before the next busy hour. The {LINES} fullest services.",
        unit="percentunit",
        nothing="No service has its capacity in alerts/objectives.yaml: measure it with inference.load --find-knee",
        width=12,
    )
    demand, capacity, healthy = (
        signal.where(**IN_SERVICE) for signal in (signals.DEMAND, signals.REPLICA_CAPACITY, signals.REPLICAS_HEALTHY)
    )
    expr = f"topk({LINES}, {demand} / ({capacity} * ({healthy} > 0)))"
    bands = ((None, PLAIN), (_BUSY, WARN), (1, BAD))
    return lines(said, [Query(expr, _NAME)], thresholds=bands)


def _tokens() -> PanelBuilder:
    said = Said(
        "Tokens",
        f"Which services are the work? Tokens generated a second, and prompt tokens dashed; the {LINES} largest. A "
        "share that changed explains a cost that changed; a fall without less demand is bad.",
        unit="si:tok/s",
        nothing="No engine reports tokens",
        width=12,
    )
    kinds = ((signals.GENERATED_TOKENS, "generated"), (signals.PROMPT_TOKENS, "prompt"))
    queries = [
        Query(
            f"topk({LINES}, sum by ({_BY}) ({signal.where(**IN_SERVICE)}))", f"{{{{cluster}}}}/{{{{service}}}} {kind}"
        )
        for signal, kind in kinds
    ]
    return lines(said, queries, dashed="/ prompt$/")
