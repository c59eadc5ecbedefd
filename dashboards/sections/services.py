"""All services at a glance: do users get answers, are promises kept, is capacity missing?"""

from alerts import signals
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.panels import BAD, PLAIN, Column, Query, Said, lines, painted, rows
from dashboards.queries import LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.sections import answers, promises
from dashboards.variables import IN_SERVICE

_THIRD = 8
_ROWS = 15
_PER_SERVICE = "cluster, namespace, service"
_NAME = "{{cluster}}/{{service}}"


def section() -> Section:
    """From what users feel to what they ask for."""
    return Section(
        "Services: do users get answers, and how fast?",
        (
            answers.outside_checks(),
            promises.nearness(width=_THIRD),
            _replicas(),
            _first_token(),
            _failures(),
            _requests(),
        ),
    )


def _replicas() -> PanelBuilder:
    said = Said(
        "Replicas",
        "Is capacity missing? Healthy replicas of each service, against those that its users need and those that are "
        f"configured; fewest to spare first, at most {_ROWS} services. Red below 0: users are hurt.",
        unit="none",
        nothing="No engine is configured",
        width=_THIRD,
    )
    healthy, needed = (
        f"max by ({_PER_SERVICE}) ({signal.where(**IN_SERVICE)})"
        for signal in (signals.REPLICAS_HEALTHY, signals.REPLICAS_NEEDED)
    )
    worst_of = f"bottomk({_ROWS}, {healthy} - {needed})"
    up = signals.ENGINE_UP.where(**IN_SERVICE)
    queries = [worst_of, *(f"{one} and {worst_of}" for one in (healthy, needed, f"count by ({_PER_SERVICE}) ({up})"))]
    columns = (
        Column("service", "Service", (("links", [_to_service()]), ("custom.width", 130))),
        Column("cluster", "Cluster", (("custom.width", 80),)),
        Column("Value #A", "To spare", (*painted(((None, BAD), (0, PLAIN))), ("custom.width", 90))),
        Column("Value #B", "Healthy", (("custom.width", 75),)),
        Column("Value #C", "Needed", (("custom.width", 75),)),
        Column("Value #D", "Of", (("custom.width", 45),)),
    )
    return rows(said, queries, columns, sort_by=["To spare"])


def _to_service() -> dict[str, object]:
    url = "/d/service/service?var-service=${__value.raw}&var-cluster=${__data.fields.Cluster}&${__url_time_range}"
    return {"title": "Board of the service", "url": url}


def _requests() -> PanelBuilder:
    said = Said(
        "Requests",
        "How much do users ask for, and did that change? Requests that ended a second, failed or not; the busiest "
        f"{LINES} services. Bad: a fall that users did not choose.",
        unit="reqps",
        nothing="No engine reports requests",
        width=_THIRD,
    )
    return lines(said, [Query(_busiest(signals.REQUESTS), _NAME)])


def _failures() -> PanelBuilder:
    said = Said(
        "Failed requests",
        "Do requests fail by the service's own fault? Failures a second; only services where one failed in the last "
        f"ten minutes, at most {LINES}. Bad: any for long; which error it is stands on the service's board.",
        unit="reqps",
        nothing="Nothing failed in the last ten minutes",
        width=_THIRD,
    )
    shown = f"sum by ({_PER_SERVICE}) ({{failed}})"
    expr = worst("topk", LINES, shown, f"{shown} > 0", failed=signals.FAILED_REQUESTS.where(**IN_SERVICE))
    return lines(said, [Query(expr, _NAME)])


def _first_token() -> PanelBuilder:
    said = Said(
        "Time to first token",
        "How long do users wait for the first word, queueing included? 95th percentile, and the median dashed, of the "
        f"{LINES // 2} slowest services, as the engines measure it. Bad: both rise, which is overload; only p95 "
        "is some long prompts.",
        unit="s",
        nothing="No requests",
        width=_THIRD,
    )
    buckets = signals.TIME_TO_FIRST_TOKEN.where(**IN_SERVICE)
    slowest = "histogram_quantile(0.95, {buckets})"
    queries = [
        Query(
            worst("topk", LINES // 2, f"histogram_quantile({share}, {{buckets}})", slowest, buckets=buckets),
            f"{_NAME} {{{{model}}}} {name}",
        )
        for share, name in ((0.95, "p95"), (0.5, "p50"))
    ]
    return lines(said, queries, dashed="/ p50$/")


def _busiest(signal: Signal) -> str:
    shown = f"sum by ({_PER_SERVICE}) ({{signal}})"
    return worst("topk", LINES, shown, signal=signal.where(**IN_SERVICE))
