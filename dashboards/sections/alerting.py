"""The alerting itself: does it see everything, does it judge in time, do its messages arrive?"""

from alerts import foreign, signals
from alerts.rules import telemetry
from alerts.signals import Signal
from dashboards.board import Section
from dashboards.limits import TIMING, limit, window
from dashboards.panels import BAD, GOOD, QUIET, WARN, Query, Said, above, below, lines, states
from dashboards.queries import AT_END, BARS, LINES, worst, worst_at_end
from dashboards.sdk import PanelBuilder
from exporters.catalogue import deadman

_HALF = 12
_THIRD = 8
_QUARTER = 6
_FEW = 5
"""Lines where each has a long name."""
_CHOSEN = {"cluster__re": "$cluster"}
_TARGET = "cluster, host, job, instance"
_NAME = "{{job}} {{instance}}"
_LATE_SHARE = 0.5
"""Of its interval: a group that takes longer leaves out evaluations as soon as the fleet has doubled."""


def messages() -> Section:
    """Whether people would be told."""
    return Section(
        "Would anybody be told?",
        (_heartbeat(), _unreachable(), _lost(), _sent(), _alerts(), _reloaded()),
    )


def sight() -> Section:
    """Whether everything is seen."""
    return Section(
        "Is everything seen?",
        (_targets(), _readings(), _scrape_seconds(), _samples(), _new_series(), _refused(), _spans()),
    )


def judgement() -> Section:
    """Whether rules run, and the store keeps what they need."""
    return Section("Do the rules run?", (_failing(), _missed(), _duration(), _store()))


def _heartbeat() -> PanelBuilder:
    silence = 3 * TIMING.heartbeat_interval
    said = Said(
        "Heartbeat",
        "Would anybody hear if all alerting died? Seconds since the dead man's switch last heard from it. Red from "
        f"{silence:g} s: it pages by itself.",
        unit="s",
        nothing="No dead man's switch reports",
        width=_THIRD,
    )
    last = deadman.LAST_HEARTBEAT.where(**_CHOSEN)
    expr = f"topk({LINES}, time() - max by (cluster, instance) ({last}))"
    return lines(said, [Query(expr, "{{instance}}")], thresholds=above(silence, BAD))


def _unreachable() -> PanelBuilder:
    failed = f"sum by (cluster) (increase({_of(foreign.SEND_ERRORS).over(window(telemetry.SENDS_SECONDS))}{AT_END}))"
    known = f"1 - clamp_max(min by (cluster) ({_of(foreign.ALERTMANAGERS)}{AT_END}), 1)"
    return _events(
        "Sends to Alertmanager that fail",
        "Do alerts reach Alertmanager? Sends that failed within the last minute, and 1 while Prometheus knows none.",
        f'label_replace({failed}, "kind", "failed", "", "") or label_replace({known}, "kind", "none known", "", "")',
        color=WARN,
    )


def _lost() -> PanelBuilder:
    span = _events_window()
    counted = f"sum by (cluster, integration) (increase({_of(foreign.FAILED_NOTIFICATIONS).over(span)}{AT_END}))"
    return _events(
        "Messages lost",
        f"Do messages arrive? Notifications that were given up within {span}, by channel.",
        f'label_replace({counted}, "kind", "$1", "integration", "(.*)")',
        color=BAD,
    )


def _sent() -> PanelBuilder:
    span = _events_window()
    said = Said(
        "Messages tried",
        f"How much do people get? Notifications within {span}, by channel, those that failed included. Bad: "
        "many for one "
        "incident, when grouping or muting is wrong. The heartbeat is one of them.",
        unit="none",
        nothing="No Alertmanager reports",
        width=_THIRD,
        decimals=0,
    )
    tried = f"sum by (cluster, integration) (increase({_of(foreign.NOTIFICATIONS).over(span)}{AT_END}))"
    return lines(said, [Query(worst_at_end("topk", LINES, f"({tried} > 0)"), "{{integration}}")])


def _alerts() -> PanelBuilder:
    said = Said(
        "Alerts, by severity",
        "Is it quiet? Alerts that are active, by severity; dashed those that wait for their time to fire. `none` are "
        "the heartbeat and the hidden ones that mute others. Bad: pages that last for hours, nobody acts on them.",
        unit="none",
        nothing="No alert at all, not even the heartbeat: no rules run",
        width=_THIRD,
        decimals=0,
    )
    queries = [
        Query(f'topk({LINES}, count by (severity) (ALERTS{{alertstate="{state}", cluster=~"$cluster|"}}))', name)
        for state, name in (("firing", "{{severity}}"), ("pending", "{{severity}} waiting"))
    ]
    colors = {"/^page/": BAD, "/^ticket/": WARN, "/^none/": QUIET}
    return lines(said, queries, dashed="/ waiting$/", colored=colors)


def _reloaded() -> PanelBuilder:
    said = Said(
        "Configurations",
        "Did Prometheus and Alertmanager take their configuration over? Orange: the old one is still in use, and the "
        "program will not start again with the new one.",
        unit="none",
        nothing="Neither Prometheus nor Alertmanager reports",
        width=_THIRD,
    )
    shown = f"min by ({_TARGET}) ({{prometheus}} or {{alertmanager}})"
    expr = worst(
        "bottomk",
        BARS,
        shown,
        prometheus=_of(foreign.PROMETHEUS_RELOADED),
        alertmanager=_of(foreign.ALERTMANAGER_RELOADED),
    )
    return states(said, Query(expr, _NAME), {"1": ("in use", GOOD), "0": ("refused", WARN)})


def _targets() -> PanelBuilder:
    said = Said(
        "Targets that do not answer",
        f"Who is not seen? Targets that failed a scrape in the last ten minutes, at most {BARS}. Orange: alerts that "
        "rest on it are blind. All of one job: one cause; all there are: Prometheus is cut off.",
        unit="none",
        nothing="Every target has answered for ten minutes",
        width=_HALF,
    )
    up = f"min by ({_TARGET}) ({{up}})"
    expr = worst("bottomk", BARS, up, f"{up} == 0", up=_of(foreign.UP))
    return states(said, Query(expr, "{{job}} {{instance}} {{host}}"), {"1": ("answers", GOOD), "0": ("silent", WARN)})


def _readings() -> PanelBuilder:
    said = Said(
        "New readings",
        "Are pages fresh? Collections or probes that ended of late, by exporter; the lowest. Orange below 1: the page "
        "answers, but repeats old readings.",
        unit="none",
        nothing="No exporter says when it last measured",
        width=_HALF,
    )
    expr = worst("bottomk", LINES, f"min by ({_TARGET}) ({{new}})", new=_of(signals.COLLECTIONS))
    return lines(said, [Query(expr, _NAME)], thresholds=below(1), in_view=())


def _scrape_seconds() -> PanelBuilder:
    timeout = TIMING.scrape_timeout
    said = Said(
        "Scrape duration",
        f"Does a target get slow? The {_FEW} slowest. Orange from {timeout:g} s: the scrape is given up, and the "
        "target counts as down.",
        unit="s",
        nothing="Nothing is scraped",
        width=_HALF,
    )
    expr = worst("topk", _FEW, f"max by ({_TARGET}) ({{seconds}})", seconds=_of(foreign.SCRAPE_SECONDS))
    return lines(said, [Query(expr, _NAME)], thresholds=above(timeout))


def _samples() -> PanelBuilder:
    said = Said(
        "Samples of a scrape",
        f"Whose page is large, and does it grow? The {_FEW} largest targets, and the store's series in all, "
        "dashed. Bad: "
        "a slope that does not end, by an unbounded label.",
        unit="short",
        nothing="Nothing is scraped",
        width=_HALF,
    )
    largest = worst("topk", _FEW, f"max by ({_TARGET}) ({{samples}})", samples=_of(foreign.SAMPLES))
    head = f"topk({LINES}, max by (cluster, instance) ({_of(foreign.HEAD_SERIES)}))"
    return lines(said, [Query(largest, _NAME), Query(head, "{{instance}} store")], dashed="/ store$/")


def _new_series() -> PanelBuilder:
    most = limit("CardinalityGrowth", telemetry.NEW_SERIES)
    span = window(telemetry.STORE_SECONDS)
    said = Said(
        "New series",
        f"Does a label grow without end? Series that a target brought within {span}; the {_FEW} with most. Orange "
        f"from {most:g}, and an alert where that is a multiple of its size, too.",
        unit="short",
        nothing="Nothing is scraped",
        width=_HALF,
    )
    added = f"max by ({_TARGET}) (sum_over_time({_of(foreign.SERIES_ADDED).over(span)}{AT_END}))"
    expr = worst_at_end("topk", _FEW, added)
    return lines(said, [Query(expr, _NAME)], thresholds=above(most))


def _refused() -> PanelBuilder:
    span = _events_window()
    limits = (
        foreign.TOO_MANY_SAMPLES,
        foreign.TOO_LONG_BODY,
        foreign.TOO_MANY_LABELS,
        foreign.TOO_MANY_TARGETS,
    )
    return _events(
        "Refused scrapes",
        f"Does Prometheus refuse pages as too large? Within {span}, by the limit that was passed.",
        _named(limits, span),
        color=WARN,
        width=_QUARTER,
    )


def _spans() -> PanelBuilder:
    said = Said(
        "Spans lost",
        "Do traces arrive? Spans lost within two minutes on their way to the collector, by reason. Orange "
        "from 1: the collector is down or too slow; requests are not held up by it.",
        unit="short",
        nothing="No engine sends traces to a collector",
        width=_QUARTER,
    )
    shown = "sum by (service, instance, reason) ({lost})"
    expr = worst("topk", LINES, shown, lost=_of(signals.DROPPED))
    return lines(said, [Query(expr, "{{service}} {{instance}} {{reason}}")], thresholds=above(1))


def _failing() -> PanelBuilder:
    span = _events_window()
    failures = f"increase({_of(foreign.RULE_FAILURES).over(span)}{AT_END})"
    return _events(
        "Rules that fail",
        f"Can every rule be evaluated? Failures within {span}, by group: its alerts may not fire.",
        f'label_replace({_per_group(failures)}, "kind", "$1", "rules", "(.*)")',
        color=WARN,
        width=_QUARTER,
    )


def _missed() -> PanelBuilder:
    most = limit("RuleEvaluationMissed", telemetry.RULES_MISSED_RATIO)
    span = _events_window()
    said = Said(
        "Evaluations left out",
        f"Are rules late? Share of evaluations left out within {span}, by group. Orange from {most:.0%}: pages come "
        "later than promised.",
        unit="percentunit",
        nothing="No rules run",
        width=_QUARTER,
    )
    missed, due = (
        _per_group(f"increase({_of(signal).over(span)}{AT_END})")
        for signal in (foreign.RULE_MISSED, foreign.RULE_ITERATIONS)
    )
    expr = worst_at_end("topk", _FEW, f"{missed} / {due}")
    return lines(said, [Query(expr, "{{rules}}")], thresholds=above(most))


def _duration() -> PanelBuilder:
    said = Said(
        "Time that rules take",
        "How near are rules to being late? Share of its interval that a group's last evaluation took; the "
        f"{_FEW} highest. Orange from {_LATE_SHARE:.0%}: no room for a larger fleet.",
        unit="percentunit",
        nothing="No rules run",
        width=_QUARTER,
    )
    taken = _per_group(f"{_of(foreign.RULE_SECONDS)}{AT_END} / {_of(foreign.RULE_INTERVAL)}{AT_END}")
    expr = worst_at_end("topk", _FEW, taken)
    return lines(said, [Query(expr, "{{rules}}")], thresholds=above(_LATE_SHARE))


def _store() -> PanelBuilder:
    span = window(telemetry.STORE_SECONDS)
    troubles = (
        foreign.WAL_CORRUPTIONS,
        foreign.WAL_WRITE_FAILURES,
        foreign.COMPACTION_FAILURES,
        foreign.BLOCK_RELOAD_FAILURES,
        foreign.TRUNCATION_FAILURES,
        foreign.CHECKPOINT_FAILURES,
    )
    return _events(
        "Trouble of the store",
        f"Does Prometheus keep what it is given? Failures within {span}, by kind: a full or failing disk.",
        _named(troubles, span),
        color=WARN,
        width=_QUARTER,
    )


def _events(title: str, question: str, at_end: str, *, color: str, width: int = _THIRD) -> PanelBuilder:
    """Counts of what should never happen, by `kind`: bad from 1; one line at 0 while they are counted."""
    word = "Red" if color == BAD else "Orange"
    said = Said(title, f"{question} {word} from 1.", unit="none", nothing="Nobody counts them", width=width, decimals=0)
    none = f'label_replace(0 * sum({at_end}), "kind", "none", "", "")'
    expr = worst_at_end("topk", LINES, f"(({at_end}) > 0 or {none})")
    return lines(said, [Query(expr, "{{kind}}")], thresholds=above(1, color))


def _named(counters: tuple[Signal, ...], span: str) -> str:
    """What each counter rose by, its kind being its name without what all names share."""
    return "\n or ".join(
        f"label_replace(sum by (cluster) (increase({_of(counter).over(span)}{AT_END})), "
        f'"kind", "{counter.name.removeprefix("prometheus_").removesuffix("_total").replace("_", " ")}", "", "")'
        for counter in counters
    )


def _per_group(expr: str) -> str:
    """By the name of a rule group, without the path of its file."""
    return f'sum by (cluster, rules) (label_replace({expr}, "rules", "$1", "rule_group", ".*;(.*)"))'


def _events_window() -> str:
    return window(telemetry.EVENT_SECONDS)


def _of(signal: Signal) -> Signal:
    return signal.where(**_CHOSEN)
