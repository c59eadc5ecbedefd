"""Answers of a service: whether they come, how fast, and against what was promised; traces of single requests."""

from alerts import signals
from alerts.objectives import Kind
from alerts.rules import service
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.limits import OBJECTIVES, TIMING, limit, window
from dashboards.panels import BAD, GOOD, Query, Said, below, lines, states
from dashboards.queries import BARS, LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import IN_MODEL, IN_SERVICE
from exporters.catalogue import llm
from exporters.catalogue.metric import Metric

_THIRD = 8
_FEW = 5
"""Lines of one kind where a panel has several kinds."""
_PER_SERVICE = "cluster, namespace, service"
_PROMISED = "promised"


def section() -> Section:
    """Whether, then how fast from outside, then how fast by the engines' own count."""
    return Section(
        "Do users get answers, and how fast?",
        (outside_checks(), _to_spare(), _requests(), _first_token(), _flow(), _gaps(), _right(), _phases()),
    )


def outside_checks() -> PanelBuilder:
    """Whether the prober gets answers."""
    said = Said(
        "Answers, seen from outside",
        "Do users get answers? Whether a real streamed completion arrived whole and in time, by probed endpoint; the "
        f"{BARS} worst of the last ten minutes. Red: it did not. No colour: the probe did not report.",
        unit="none",
        nothing="No probe reports: is the prober running?",
        width=_THIRD,
    )
    shown = "min by (cluster, namespace, service, target) ({probe})"
    probe = signals.PROBE_SUCCESS.where(**IN_SERVICE)
    query = Query(worst("bottomk", BARS, shown, probe=probe), "{{cluster}}/{{target}}")
    return states(said, query, {"1": ("answers", GOOD), "0": ("fails", BAD)})


def _to_spare() -> PanelBuilder:
    said = Said(
        "Replicas to spare",
        "Is capacity missing? Healthy replicas beyond those that users need, by alerts/objectives.yaml. Red below 0: "
        "users wait or are turned away. 0 is enough, and one more loss is not.",
        unit="none",
        nothing="No engine is configured",
        width=_THIRD,
        decimals=0,
    )
    expr = worst(
        "bottomk",
        LINES,
        "{healthy} - {needed}",
        healthy=signals.REPLICAS_HEALTHY.where(**IN_SERVICE),
        needed=signals.REPLICAS_NEEDED.where(**IN_SERVICE),
    )
    return lines(
        said, [Query(expr, "{{cluster}}/{{service}}")], thresholds=below(0, BAD), limits=(None, None), in_view=(-1, 1)
    )


def _right() -> PanelBuilder:
    least = limit("EngineAnswersWrong", service.RIGHT_RATIO)
    span = window(service.WRONG_WINDOW_SECONDS)
    said = Said(
        "Right answers, seen from outside",
        f"Does a model still say what it used to? Share of the prober's completions within {span} that were the golden "
        f"answer. Red below {least:.0%}: other weights, other settings, or a GPU that computes wrong.",
        unit="percentunit",
        nothing="No golden answer is known",
        width=_THIRD,
    )
    per_model = "min by (cluster, service, model) ({})"
    expr = worst(
        "bottomk",
        LINES,
        per_model.format(f"avg_over_time({{matches}}[{span}])"),
        per_model.format("{matches}"),
        matches=signals.PROBE_ANSWER_MATCHES.where(**IN_MODEL),
    )
    query = Query(expr, "{{service}} {{model}}")
    return lines(said, [query], thresholds=below(least, BAD), limits=(0, 1))


def _requests() -> PanelBuilder:
    said = Said(
        "Requests, by model",
        "How much do users ask for, and did that change? Requests that ended a second, failed or not. A fall to 0 "
        "while the outside check fails: nobody gets through.",
        unit="reqps",
        nothing="No engine reports requests",
        width=_THIRD,
    )
    expr = worst(
        "topk", LINES, "sum by (cluster, service, model) ({signal})", signal=signals.REQUESTS.where(**IN_MODEL)
    )
    return lines(said, [Query(expr, "{{service}} {{model}}")])


def _first_token() -> PanelBuilder:
    timeout = TIMING.probe_timeout
    said = Said(
        "Time to first token, inside and outside",
        "How long does a user wait for the first word? The engines' 95th percentile, and the prober's single request "
        f"dashed, which gives up after {timeout:g} s. Outside slow and inside fast: the way between. Both above the "
        "dotted promise: overload, or a slow GPU. Dots: traces of single requests.",
        unit="s",
        nothing="No requests",
        width=_THIRD,
    )
    outside = "max by (cluster, namespace, service, target) ({probe})"
    probe = signals.PROBE_TIME_TO_FIRST_TOKEN.where(**IN_SERVICE)
    queries = [
        *_quantiles(signals.TIME_TO_FIRST_TOKEN, (0.95,)),
        Query(worst("topk", _FEW, outside, probe=probe), "{{target}} outside"),
        _traces(llm.TIME_TO_FIRST_TOKEN),
    ]
    return lines(said, [*queries, *_promised("time_to_first_token")], dashed="/ outside$/", dotted=f"/ {_PROMISED}$/")


def _flow() -> PanelBuilder:
    said = Said(
        "Time per output token",
        "How fast does the text flow once it has begun? Mean time per token of a request: 95th percentile, and the "
        "median dashed. Rises with the batch, and with slowed-down GPUs; users notice above the dotted promise.",
        unit="s",
        nothing="No requests",
        width=_THIRD,
    )
    queries = [*_quantiles(signals.TIME_PER_OUTPUT_TOKEN, (0.95, 0.5)), _traces(llm.TIME_PER_OUTPUT_TOKEN)]
    return lines(said, [*queries, *_promised("time_per_output_token")], dashed="/ p50$/", dotted=f"/ {_PROMISED}$/")


def _gaps() -> PanelBuilder:
    said = Said(
        "Gaps between two tokens",
        "Does the text stutter? The longest gaps (99th percentile), and the usual one (median, dashed). Bad: long gaps "
        "with a short median, when prompts of others are read in between, or requests are preempted.",
        unit="s",
        nothing="No tokens",
        width=_THIRD,
    )
    queries = [*_quantiles(signals.INTER_TOKEN_LATENCY, (0.99, 0.5)), _traces(llm.INTER_TOKEN_LATENCY)]
    return lines(said, queries, dashed="/ p50$/")


def _phases() -> PanelBuilder:
    said = Said(
        "Latency by phase",
        "Where does the time go? 95th percentiles of the wait for a place in the batch, of the time to the first "
        "token, which has that wait in it, and of the whole answer. Bad: the wait is most of the time to the first "
        "token; add replicas. Only the whole rises: longer answers, or a slow GPU. Read from each histogram's own "
        "steps: the wait may seem a little longer than what holds it.",
        unit="s",
        nothing="No requests",
        width=16,
    )
    phases = (
        (signals.QUEUE_TIME, "queue"),
        (signals.TIME_TO_FIRST_TOKEN, "first token"),
        (signals.REQUEST_DURATION, "whole answer"),
    )
    queries = [Query(_quantile(signal, 0.95, _FEW), f"{{{{service}}}} {{{{model}}}} {name}") for signal, name in phases]
    return lines(said, [*queries, _traces(llm.REQUEST_DURATION)])


def _quantiles(signal: Signal, shares: tuple[float, ...]) -> list[Query]:
    """Percentiles of the models whose first percentile is worst."""
    return [
        Query(_quantile(signal, share, _FEW, shares[0]), f"{{{{service}}}} {{{{model}}}} p{100 * share:g}")
        for share in shares
    ]


def _quantile(signal: Signal, share: float, most: int, by: float | None = None) -> str:
    shown, compared = (f"histogram_quantile({one}, {{buckets}})" for one in (share, by or share))
    return worst("topk", most, shown, compared, buckets=signal.where(**IN_MODEL))


def _promised(kind: Kind) -> list[Query]:
    """The limit in seconds of each promise of this kind, where its service is among the chosen ones."""
    promises = [promise for promise in OBJECTIVES.promises if promise.kind == kind]
    up = signals.ENGINE_UP.where(**IN_SERVICE)
    limits = "\nor ".join(
        f"max by ({_PER_SERVICE}) ({up.where(service=one.service)}) * 0 + {one.seconds:g}" for one in promises
    )
    return [Query(f"topk({_FEW}, {limits})", f"{{{{service}}}} {_PROMISED}")] if promises else []


def _traces(metric: Metric) -> Query:
    """Draws nothing but dots: Prometheus keeps exemplars with the engine's own series, so that only these name them.

    Evaluated once, whatever the range, since its one moment is the end.
    """
    buckets = "".join(f', {label}=~"${label}"' for label in ("namespace", "service"))
    return Query(f'count({metric.bucket}{{cluster=~"$cluster"{buckets}}} @ end()) < 0', "traces", exemplars=True)
