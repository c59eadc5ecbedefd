"""Services: what users get, seen from outside and by the engines."""

from alerts import signals
from alerts.signals import Signal
from alerts.timing import load
from dashboards.board import Section
from dashboards.panels import BAD, GOOD, PLAIN, Column, Query, Said, lines, painted, rows, states
from dashboards.queries import BARS, LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import IN_SERVICE

_THIRD = 8
_ROWS = 15
_PER_SERVICE = "cluster, namespace, service"
_NAME = "{{cluster}}/{{service}}"


def section() -> Section:
    """From what users feel to what the engines do."""
    return Section(
        "Services: do users get answers, and how fast?",
        (
            _outside_checks(),
            _outside_first_token(),
            _engines(),
            _requests(),
            _failures(),
            _first_token(),
            _tokens(),
            _queue(),
            _output_token(),
        ),
    )


def _outside_checks() -> PanelBuilder:
    said = Said(
        "Answers, seen from outside",
        "Do users get answers? Whether a real streamed completion arrived whole and in time, by probed endpoint; the "
        f"{BARS} worst of the last ten minutes. No colour: the probe did not report.",
        unit="none",
        nothing="No probe reports: is the prober running?",
        width=_THIRD,
    )
    shown = "min by (cluster, namespace, service, target) ({probe})"
    probe = signals.PROBE_SUCCESS.where(**IN_SERVICE)
    query = Query(worst("bottomk", BARS, shown, probe=probe), "{{cluster}}/{{target}}")
    return states(said, query, {"1": ("answers", GOOD), "0": ("fails", BAD)})


def _outside_first_token() -> PanelBuilder:
    timeout = load().probe_timeout
    said = Said(
        "Time to first token, seen from outside",
        "How long does a new user wait? From connecting to the first token of the probe's completion. A gap: no token "
        f"came. The probe gives up after {timeout:g} s, where the red band begins.",
        unit="s",
        nothing="No probe got a token",
        width=_THIRD,
    )
    shown = "max by (cluster, namespace, service, target) ({probe})"
    probe = signals.PROBE_TIME_TO_FIRST_TOKEN.where(**IN_SERVICE)
    query = Query(worst("topk", LINES, shown, probe=probe), "{{cluster}}/{{target}}")
    return lines(said, [query], thresholds=((None, PLAIN), (timeout, BAD)))


def _engines() -> PanelBuilder:
    said = Said(
        "Engines",
        "Is capacity missing? Replicas that do not answer their scrape, of all replicas that are configured, by "
        f"service; most missing first, at most {_ROWS} services. Red from 1 down.",
        unit="none",
        nothing="No engine is configured",
        width=_THIRD,
    )
    up = signals.ENGINE_UP.where(**IN_SERVICE)
    down = f"count by ({_PER_SERVICE}) ({up}) - sum by ({_PER_SERVICE}) ({up})"
    shown = f"topk({_ROWS}, {down})"
    queries = [
        shown,
        f"sum by ({_PER_SERVICE}) ({up}) and {shown}",
        f"count by ({_PER_SERVICE}) ({up}) and {shown}",
    ]
    columns = (
        Column("cluster", "Cluster"),
        Column("service", "Service"),
        Column("Value #A", "Down", (*painted(((None, PLAIN), (1, BAD))), ("custom.width", 70))),
        Column("Value #B", "Up", (("custom.width", 70),)),
        Column("Value #C", "Of total", (("custom.width", 80),)),
    )
    return rows(said, queries, columns, sort_by=["-Down"])


def _requests() -> PanelBuilder:
    said = Said(
        "Requests",
        "How much do users ask for, and did that change? Requests that ended a second, failed or not; the busiest "
        f"{LINES} services.",
        unit="reqps",
        nothing="No engine reports requests",
        width=_THIRD,
    )
    return lines(said, [Query(_busiest(signals.REQUESTS), _NAME)])


def _failures() -> PanelBuilder:
    said = Said(
        "Failed requests, by reason",
        "Do requests fail, and how? Failures a second by error type; only what failed in the last ten minutes, at most "
        f"{LINES}. Anything above 0 for long is worth a look; client_disconnect alone is the users' choice.",
        unit="reqps",
        nothing="Nothing failed in the last ten minutes",
        width=_THIRD,
    )
    shown = f"sum by ({_PER_SERVICE}, error_type) ({{failed}})"
    failed = signals.REQUEST_ERRORS.where(**IN_SERVICE)
    expr = worst("topk", LINES, shown, f"{shown} > 0", failed=failed)
    return lines(said, [Query(expr, "{{cluster}}/{{service}} {{error_type}}")])


def _first_token() -> PanelBuilder:
    said = Said(
        "Time to first token",
        "How long do users wait for the first word, queueing included? 95th percentile, and the median dashed, of the "
        f"{LINES // 2} slowest services, as the engines measure it. Both rise: overload. Only p95: some long prompts.",
        unit="s",
        nothing="No requests",
        width=_THIRD,
    )
    return lines(said, _quantiles(signals.TIME_TO_FIRST_TOKEN), dashed="/ p50$/")


def _tokens() -> PanelBuilder:
    said = Said(
        "Tokens",
        "How much work is done? Tokens generated a second, and prompt tokens dashed; the busiest services. Requests "
        "without tokens: the engines are stuck.",
        unit="si:tok/s",
        nothing="No engine reports tokens",
        width=_THIRD,
    )
    per_kind = ((signals.GENERATED_TOKENS, "generated"), (signals.PROMPT_TOKENS, "prompt"))
    queries = [Query(_busiest(signal), f"{_NAME} {kind}") for signal, kind in per_kind]
    return lines(said, queries, dashed="/ prompt$/")


def _queue() -> PanelBuilder:
    said = Said(
        "Requests in the engines",
        "Is there a queue? Requests in the batch, and waiting for a place in it dashed. Waiting that only grows: "
        "demand is above capacity, or the engine is stuck.",
        unit="none",
        nothing="No engine reports its queue",
        width=_THIRD,
    )
    per_state = ((signals.RUNNING, "running"), (signals.WAITING, "waiting"))
    queries = [Query(_busiest(signal), f"{_NAME} {state}") for signal, state in per_state]
    return lines(said, queries, dashed="/ waiting$/")


def _output_token() -> PanelBuilder:
    said = Said(
        "Time per output token",
        "How fast does the text flow once it has begun? Mean time per token of a request: 95th percentile, and the "
        f"median dashed, of the {LINES // 2} slowest services. Rises with the batch, and with slowed-down GPUs.",
        unit="s",
        nothing="No requests",
        width=_THIRD,
    )
    return lines(said, _quantiles(signals.TIME_PER_OUTPUT_TOKEN), dashed="/ p50$/")


def _busiest(signal: Signal) -> str:
    shown = f"sum by ({_PER_SERVICE}) ({{signal}})"
    return worst("topk", LINES, shown, signal=signal.where(**IN_SERVICE))


def _quantiles(signal: Signal) -> list[Query]:
    """Median and 95th percentile of the services whose 95th percentile is worst."""
    buckets = signal.where(**IN_SERVICE)
    slowest = "histogram_quantile(0.95, {buckets})"
    return [
        Query(
            worst("topk", LINES // 2, f"histogram_quantile({share}, {{buckets}})", slowest, buckets=buckets),
            f"{_NAME} {name}",
        )
        for share, name in ((0.95, "p95"), (0.5, "p50"))
    ]
