"""Engines of a service: are they alive, is there a queue, is there room, what fails, what runs?"""

from alerts import signals
from alerts.rules import engine_load, engine_pace
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.limits import limit, window
from dashboards.panels import BAD, GOOD, WARN, Query, Said, Thresholds, above, below, lines, states
from dashboards.queries import BARS, LINES, worst
from dashboards.sdk import PanelBuilder
from dashboards.sections import changes
from dashboards.variables import IN_ENGINE, ON_ENGINE

_THIRD = 8
_PER_ENGINE = "cluster, service, instance"
_NAME = "{{service}} {{instance}}"
_FLOOR = engine_load.EVENTS_PER_SECOND
"""Requests a second below which a share of them says nothing; the alerts' own."""


def section() -> Section:
    """From dead to crowded to failing."""
    return Section(
        "Engines: why?",
        (
            _alive(),
            _inside(),
            _backlog(),
            _kv_cache(),
            _preemptions(),
            _tokens(),
            _failures(),
            _failed_inside(),
            _turned_away(),
            _pace(),
            _restarts(),
            changes.too_many(),
        ),
    )


def _alive() -> PanelBuilder:
    said = Said(
        "Engines",
        f"Does each engine answer, hold its model and make progress? The {BARS} worst of the last ten minutes. Red: "
        "users of this replica get nothing. No colour: Prometheus does not know it.",
        unit="none",
        nothing="No engine is configured",
        width=_THIRD,
    )
    shown = (
        f"min by ({_PER_ENGINE}) (\n"
        "  0 * {down}\n  or on (cluster, service, instance) 1 + {loaded} == 1\n"
        "  or on (cluster, service, instance) 2 + 0 * {hung}\n  or on (cluster, service, instance) 3 * {up}\n)"
    )
    query = Query(
        worst(
            "bottomk",
            BARS,
            shown,
            down=signals.ENGINE_ROOT.where(**ON_ENGINE, root="EngineDown"),
            loaded=signals.MODEL_LOADED.where(**ON_ENGINE),
            hung=signals.ENGINE_ROOT.where(**ON_ENGINE, root="EngineHung"),
            up=signals.ENGINE_UP.where(**ON_ENGINE),
        ),
        _NAME,
    )
    words = {
        "0": ("does not answer", BAD),
        "1": ("has no model", WARN),
        "2": ("makes no progress", BAD),
        "3": ("works", GOOD),
    }
    return states(said, query, words)


def _inside() -> PanelBuilder:
    said = Said(
        "Requests in the engine",
        f"Is there a queue? Requests in the batch, and waiting for a place in it dashed; the {LINES} fullest engines. "
        "Waiting that only grows: demand is above capacity, or the engine is stuck.",
        unit="none",
        nothing="No engine reports its queue",
        width=_THIRD,
        decimals=0,
    )
    per_state = ((signals.RUNNING, "running"), (signals.WAITING, "waiting"))
    queries = [Query(_most(signal), f"{_NAME} {state}") for signal, state in per_state]
    return lines(said, queries, dashed="/ waiting$/")


def _backlog() -> PanelBuilder:
    batches = limit("EngineQueueBacklog", engine_load.BATCHES_WAITING)
    shown = f"max by ({_PER_ENGINE}) ({{waiting}}) / clamp_min(max by ({_PER_ENGINE}) ({{running}}), 1)"
    return _judged(
        "Queue, in batches",
        f"How long is the wait for a newcomer? Requests that wait, for each one that runs. Orange from {batches:g}: "
        "several batches have to end before a newcomer begins.",
        "none",
        worst("topk", LINES, shown, waiting=_of(signals.WAITING), running=_of(signals.RUNNING)),
        above(batches),
    )


def _kv_cache() -> PanelBuilder:
    most = limit("EngineKvCacheSaturated", engine_load.KV_CACHE_RATIO)
    return _judged(
        "KV cache",
        f"Is there room for more text? Share of the KV cache that is taken. Orange from {most:.0%}: newcomers wait, or "
        "running requests lose their place. Below that, full is well used.",
        "percentunit",
        _most(signals.KV_CACHE_USAGE),
        above(most),
        limits=(0, 1),
    )


def _preemptions() -> PanelBuilder:
    most = limit("EnginePreemptionStorm", engine_load.PREEMPTIONS_PER_REQUEST)
    return _judged(
        "Preemptions per request",
        f"Is work thrown away? Times that a request lost its place and is computed again. Orange from {most:g}: many "
        "answers stall in the middle.",
        "none",
        _share(signals.PREEMPTIONS),
        above(most),
    )


def _turned_away() -> PanelBuilder:
    most = limit("EngineRejections", engine_load.REJECTED_RATIO)
    return _judged(
        "Turned away",
        f"Do users find the queue full? Share of requests that get 429 or 503 for it. Orange from {most:.0%}.",
        "percentunit",
        _share(signals.REJECTIONS.where(reason="queue_full")),
        above(most),
    )


def _failed_inside() -> PanelBuilder:
    most = limit("EngineErrorsInternal", engine_load.FAILED_RATIO)
    return _judged(
        "Failed inside the engine",
        f"Do requests fail that were taken? Share that ended by the engine's own fault. Orange from {most:.0%}. Which "
        "error it is stands beside.",
        "percentunit",
        _share(signals.REQUEST_ERRORS.where(error_type__re=engine_load.OWN_ERRORS)),
        above(most),
    )


def _pace() -> PanelBuilder:
    least = limit("EngineThroughputDrop", engine_pace.PACE_RATIO)
    usual = window(engine_pace.USUAL_SECONDS)
    per_engine = f"min by ({_PER_ENGINE}) ({{}})"
    expr = worst(
        "bottomk",
        LINES,
        per_engine.format(f"{{pace}} / quantile_over_time(0.5, {{pace}}[{usual}])"),
        per_engine.format("{pace}"),
        pace=_of(signals.PACE),
    )
    return _judged(
        "Pace, against the usual",
        f"Is an engine slower than it was? Tokens a second for each request in the batch, as a share of the median of "
        f"the last {usual}. Orange below {least:.0%}: heat, power, or a neighbour; larger batches slow it, too.",
        "percentunit",
        expr,
        below(least),
    )


def _failures() -> PanelBuilder:
    said = Said(
        "Failed requests, by reason",
        "Do requests fail, and how? Failures a second by error type; only what failed in the last ten minutes, at most "
        f"{LINES}. Anything above 0 for long is worth a look; client_disconnect alone is the users' choice.",
        unit="reqps",
        nothing="Nothing failed in the last ten minutes",
        width=_THIRD,
    )
    shown = "sum by (cluster, service, error_type) ({failed})"
    expr = worst("topk", LINES, shown, f"{shown} > 0", failed=_of(signals.REQUEST_ERRORS))
    return lines(said, [Query(expr, "{{service}} {{error_type}}")])


def _tokens() -> PanelBuilder:
    said = Said(
        "Tokens, by engine",
        f"Does each engine do its share? Tokens generated a second, and prompt tokens dashed; the {LINES} busiest. "
        "Bad: requests without tokens, when the engine is stuck.",
        unit="si:tok/s",
        nothing="No engine reports tokens",
        width=_THIRD,
    )
    per_kind = ((signals.GENERATED_TOKENS, "generated"), (signals.PROMPT_TOKENS, "prompt"))
    return lines(said, [Query(_most(signal), f"{_NAME} {kind}") for signal, kind in per_kind], dashed="/ prompt$/")


def _restarts() -> PanelBuilder:
    most = limit("EngineCrashLoop", engine_load.RESTARTS)
    return _judged(
        "Restarts",
        "Does an engine start again and again? Starts in the last ten minutes. Orange above "
        f"{most:g}; one or two may be a deployment.",
        "none",
        _most(signals.RESTARTS),
        above(most + 1),
        decimals=0,
    )


def _judged(  # noqa: PLR0913 - what a panel says and where it turns bad
    title: str,
    question: str,
    unit: str,
    expr: str,
    thresholds: Thresholds,
    *,
    limits: tuple[float | None, float | None] = (0, None),
    decimals: int | None = None,
) -> PanelBuilder:
    said = Said(title, question, unit=unit, nothing="No engine reports this", width=_THIRD, decimals=decimals)
    return lines(said, [Query(expr, _NAME)], thresholds=thresholds, limits=limits)


def _of(signal: Signal) -> Signal:
    return signal.where(**IN_ENGINE)


def _most(signal: Signal) -> str:
    return worst("topk", LINES, f"sum by ({_PER_ENGINE}) ({{signal}})", signal=_of(signal))


def _share(part: Signal) -> str:
    """Of the requests of each engine, where there are enough."""
    shown = f"sum by ({_PER_ENGINE}) ({{part}}) / (sum by ({_PER_ENGINE}) ({{requests}}) > {_FLOOR:g})"
    return worst("topk", LINES, shown, part=_of(part), requests=_of(signals.REQUESTS))
