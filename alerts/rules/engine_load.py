"""Tickets for engines that serve, but not as they should: overload, restarts, failures, drift.

Users' pain pages through the objectives (SloFastBurn) and the probe; these say why, and warn before.
"""

from typing import Unpack

from alerts import boards, signals
from alerts.objectives import Objectives
from alerts.rule import Alert, Class, Group, Words
from alerts.timing import Timing, duration

BOARD = boards.OF_SERVICE
WHICH = "{{ $labels.service }} on {{ $labels.host }}"

BATCHES_WAITING = 2
"""A newcomer then waits for two whole batches: the queue no longer absorbs a burst, it is the overload."""
KV_CACHE_RATIO = 0.95
"""Above it newcomers are held back or running requests preempted; engines fill their cache to 90 % by design."""
PREEMPTIONS_PER_REQUEST = 0.1
"""One request in ten is computed twice: more than a tenth of the GPU's work is thrown away."""
REJECTED_RATIO = 0.05
FAILED_RATIO = 0.05
"""One request in twenty; below it, retries of clients hide the trouble."""
OWN_ERRORS = "timeout_queue|timeout_decode|oom|engine_dead|internal_error"
"""Errors of requests that the engine had taken."""
EVENTS_PER_SECOND = 0.05
"""A ratio of fewer than three requests a minute says nothing."""
RESTARTS = 2
"""More than two in ten minutes: one may be a deployment, two its retry."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """No signals of its own: they are recorded with the engine's roots."""
    return Group(
        "engine_load",
        (),
        (
            _crash_loop(timing, objectives),
            _backlog(timing, objectives),
            _kv_cache(timing, objectives),
            _preemptions(timing, objectives),
            _rejections(timing, objectives),
            _failures(timing, objectives),
            _drift(timing),
        ),
    )


def _ticket(  # noqa: PLR0913 - the parts of an Alert that differ
    name: str,
    expr: str,
    *,
    pending: float,
    cls: Class = "symptom",
    window: float = 0,
    memory: float = 0,
    **words: Unpack[Words],
) -> Alert:
    return Alert(
        name=name,
        expr=expr,
        severity="ticket",
        cls=cls,
        component="engine",
        board=BOARD,
        pending=pending,
        keep_firing=120,
        window=window,
        memory=memory,
        hops=2,
        **words,
    )


def _last(timing: Timing, signal: signals.Signal) -> str:
    """The newest value of a signal; one missed scrape must not reset `for`."""
    return f"last_over_time({signal.over(duration(timing.window(15)))})"


def _crash_loop(timing: Timing, objectives: Objectives) -> Alert:
    most = objectives.threshold("EngineCrashLoop", RESTARTS)
    return _ticket(
        "EngineCrashLoop",
        f"{signals.RESTARTS} > {most:g}",
        pending=0,
        cls="root",
        memory=timing.window(600),
        summary="Engine restarts again and again: " + WHICH,
        impact="Requests that are running at each restart are lost; each start takes as long as the model loads.",
        action="Read the first error after its last start, not the last line before its end.",
        description="{{ $labels.engine }} at {{ $labels.instance }} keeps starting anew.",
        value="{{ $value | humanize }} restarts in ten minutes",
        threshold=f"at most {most:g}",
    )


def _backlog(timing: Timing, objectives: Objectives) -> Alert:
    batches = objectives.threshold("EngineQueueBacklog", BATCHES_WAITING)
    window = timing.window(60)
    waiting = f"min_over_time({signals.WAITING.over(duration(window))})"
    running = f"max_over_time({signals.RUNNING.over(duration(window))})"
    return _ticket(
        "EngineQueueBacklog",
        f"{waiting} / {running} > {batches:g}",
        pending=300,
        window=window,
        summary="Queue backs up: " + WHICH,
        impact="New requests wait for several batches before their first token.",
        action="Add replicas or shed load; see on the board whether arrivals rose or the engine slowed down.",
        description="More requests wait at {{ $labels.instance }} than a few batches can take.",
        value="{{ $value | humanize }} batches wait",
        peak=f"{{{{ with query (printf `max_over_time({signals.WAITING}{{cluster=%q, instance=%q}}"
        f"[{duration(timing.window(3600))}])` $labels.cluster $labels.instance) }}}}"
        "{{ . | first | value | humanize }} requests{{ end }}",
        threshold=f"at most {batches:g}",
    )


def _kv_cache(timing: Timing, objectives: Objectives) -> Alert:
    most = objectives.threshold("EngineKvCacheSaturated", KV_CACHE_RATIO)
    window = timing.window(60)
    return _ticket(
        "EngineKvCacheSaturated",
        f"min_over_time({signals.KV_CACHE_USAGE.over(duration(window))}) > {most:g}",
        pending=120,
        window=window,
        summary="KV cache full: " + WHICH,
        impact="New requests wait for running ones to end, and long ones may be computed twice.",
        action="Lower the longest context or the batch size, or add replicas.",
        description="The KV cache of {{ $labels.instance }} has been full for minutes.",
        value="{{ $value | humanizePercentage }}",
        threshold=f"at most {most:.0%}",
    )


def _preemptions(timing: Timing, objectives: Objectives) -> Alert:
    most = objectives.threshold("EnginePreemptionStorm", PREEMPTIONS_PER_REQUEST)
    return _ticket(
        "EnginePreemptionStorm",
        f"{signals.PREEMPTIONS} / ({signals.REQUESTS} > {EVENTS_PER_SECOND:g}) > {most:g}",
        pending=60,
        window=timing.window(60),
        summary="Requests are computed twice: " + WHICH,
        impact="Preempted requests stall in the middle of their answer, and the engine's time is thrown away.",
        action="Lower the batch size or the longest context, or add replicas.",
        description="{{ $labels.instance }} keeps taking the KV cache from running requests.",
        value='{{ $value | printf "%.2g" }} preemptions per request',
        threshold=f"at most {most:g}",
    )


def _rejections(timing: Timing, objectives: Objectives) -> Alert:
    return _share(
        timing,
        "EngineRejections",
        f"sum without (reason) ({signals.REJECTIONS.where(reason='queue_full')})",
        objectives.threshold("EngineRejections", REJECTED_RATIO),
        summary="Requests are turned away: " + WHICH,
        impact="Users of {{ $labels.service }} get 429 or 503 instead of an answer.",
        action="Add replicas or shed load at the balancer; see on the board whether arrivals rose.",
        description="{{ $labels.instance }} refuses requests because its queue is full.",
    )


def _failures(timing: Timing, objectives: Objectives) -> Alert:
    ours = signals.REQUEST_ERRORS.where(error_type__re=OWN_ERRORS)
    return _share(
        timing,
        "EngineErrorsInternal",
        f"sum without (error_type) ({ours})",
        objectives.threshold("EngineErrorsInternal", FAILED_RATIO),
        summary="Requests fail inside the engine: " + WHICH,
        impact="Users of {{ $labels.service }} get errors, or answers that break off.",
        action="See on the board which error it is, then read the engine's log for that request.",
        description="Requests that {{ $labels.instance }} had taken fail there.",
    )


def _share(timing: Timing, name: str, rate: str, most: float, **words: Unpack[Words]) -> Alert:
    words["value"] = "{{ $value | humanizePercentage }} of requests"
    words["threshold"] = f"at most {most:.0%}"
    return _ticket(
        name,
        f"{rate} / ({signals.REQUESTS} > {EVENTS_PER_SECOND:g}) > {most:g}",
        # Longer than a promise takes to page for the same requests, which then mutes this.
        pending=600,
        window=timing.window(60),
        **words,
    )


def _drift(timing: Timing) -> Alert:
    kinds = f"count by (cluster, namespace, service, version, model, config_hash, fingerprint) ({signals.BUILD_INFO})"
    return _ticket(
        "EngineConfigDrift",
        f"count by (cluster, namespace, service) ({kinds}) > count by (cluster, namespace, service) "
        f"(count by (cluster, namespace, service, model) ({signals.BUILD_INFO}))",
        # A rolling deployment has two builds on purpose; it is over within half an hour.
        pending=1800,
        cls="root",
        summary="Replicas differ: {{ $labels.service }}",
        impact="Users of {{ $labels.service }} get different answers or speeds, depending on where they land.",
        action="Compare version, config_hash and fingerprint of the replicas, and finish or undo the deployment.",
        description="Replicas of {{ $labels.service }} that serve one model run different versions, settings or "
        "weights.",
        value="{{ $value }} builds",
        threshold="one for each model",
    )
