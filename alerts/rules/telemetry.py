"""Is the alerting itself alive, can it see, and do its messages arrive?"""

from alerts import boards, foreign, signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Words
from alerts.signals import Signal
from alerts.timing import Timing, duration
from exporters.catalogue import gpu, llm, probe

_BOARD = boards.OF_ALERTING

_CHANNEL = "cluster, namespace, service, host, job, instance, integration"

ATTEMPT_SECONDS = 10
"""Alertmanager's floor for how long it tries one notification, where group_interval is shorter."""
EVENT_SECONDS = 300
"""How long one failure is remembered: the look-back that Prometheus' and Alertmanager's own mixins use."""
RULES_MISSED_RATIO = 0.1
"""Every tenth evaluation left out: what a page may be late then, its bound does not know."""
SENDS_SECONDS = 60
"""At least three sends at the default clock: a firing Watchdog is sent every resend_delay."""
STORE_SECONDS = 3600
"""Compactions and truncations run every hour or two: a shorter look-back would flap between them."""
NEW_SERIES = 5000
"""Series of one target in an hour beyond which an unbounded label is likelier than a roll-out: ten times what the
largest engine page of the reference (a vLLM with its histograms) has in all."""
NEW_SERIES_FACTOR = 3
"""And as many times its size of an hour ago, so that a large target may restart twice."""
DROPPED_SECONDS = 120
"""Look-back for lost spans. Shorter than the alert's `for`, so that a collector that starts anew is no ticket."""
STALE_SECONDS = 30
"""Look-back for new readings; six collections or probes at the default clock."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """What was collected and what was lost, as signals; alerts on targets, rules, the store, the way to people."""
    alerts = (
        _target_down(timing),
        _exporter_stale(timing),
        _dropping(timing),
        _scrape_limit(timing),
        _cardinality(timing, objectives),
        _rules_failing(timing),
        _rules_missed(timing, objectives),
        _reload_failed(timing),
        _store(timing),
        _alertmanager_unreachable(timing),
        _notification_failing(timing),
        _watchdog(),
    )
    dropped = llm.SPANS_DROPPED.over(duration(timing.window(DROPPED_SECONDS)))
    recordings = (
        record(signals.COLLECTIONS, _collections(timing)),
        record(signals.DROPPED, f"increase({dropped})"),
    )
    return Group("telemetry", recordings, alerts)


def _collections(timing: Timing) -> str:
    slowest = 4 * max(timing.gpu_collection_interval, timing.probe_interval) + timing.scrape_interval
    window = duration(max(timing.window(STALE_SECONDS), slowest))
    # Several endpoints of one prober are asked side by side: it is well as long as one of them is.
    probed = f"max by (cluster, namespace, service, host, job, instance) (increase({probe.ATTEMPTS.over(window)}))"
    return f"changes({gpu.COLLECTION_TIMESTAMP.over(window)})\nor\n{probed}"


def _ticket(name: str, expr: str, words: Words, *, pending: float = 0, memory: float = 0) -> Alert:
    return Alert(
        name=name,
        expr=expr,
        severity="ticket",
        cls="meta",
        component="telemetry",
        board=_BOARD,
        pending=pending,
        keep_firing=60,
        memory=memory,
        **words,
    )


def _target_down(timing: Timing) -> Alert:
    return Alert(
        name="TargetDown",
        expr='up{engine=""} == 0',
        severity="ticket",
        cls="meta",
        component="telemetry",
        summary="Target down: {{ $labels.job }} on {{ $labels.host }}",
        impact="No user is hurt, but alerts that rest on {{ $labels.job }} are blind on {{ $labels.host }}.",
        action="On {{ $labels.host }}, look whether {{ $labels.job }} runs and whether its port answers.",
        description="Prometheus gets no answer from {{ $labels.job }} at {{ $labels.instance }}.",
        board=_BOARD,
        pending=30,
        keep_firing=60,
        delay=timing.scrape_timeout,
    )


def _exporter_stale(timing: Timing) -> Alert:
    words = Words(
        summary="Stale readings: {{ $labels.job }} on {{ $labels.host }}",
        impact="No user is hurt, but alerts that rest on {{ $labels.job }} judge what was true a while ago.",
        action="On {{ $labels.host }}, read the last lines of the log of {{ $labels.job }}, then restart it.",
        description="{{ $labels.job }} at {{ $labels.instance }} answers, but its page repeats old readings: no "
        "collection, or no probe, has ended of late.",
        value="{{ $value | humanize }} new readings",
        threshold="at least 1",
    )
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    expr = f"last_over_time({signals.COLLECTIONS.over(bridge)}) == 0"
    return _ticket("ExporterStale", expr, words, pending=30)


def _dropping(timing: Timing) -> Alert:
    words = Words(
        summary="Traces are lost: {{ $labels.service }} on {{ $labels.host }}",
        impact="No user is hurt; links from messages and boards to traces of {{ $labels.service }} lead nowhere.",
        action="Does the collector answer? The runbook shows how to ask it from {{ $labels.host }}.",
        description="{{ $labels.job }} at {{ $labels.instance }} goes on losing spans on their way to the collector "
        "({{ $labels.reason }}).",
        value='{{ printf "%.0f" $value }} spans in ' + duration(timing.window(DROPPED_SECONDS)),
        threshold="none",
    )
    return _ticket(
        "TelemetryDropping", f"{signals.DROPPED} > 0", words, pending=180, memory=timing.window(DROPPED_SECONDS)
    )


def _scrape_limit(timing: Timing) -> Alert:
    window = timing.window(EVENT_SECONDS)
    refused = _named(
        timing,
        "limit",
        {
            "samples": foreign.TOO_MANY_SAMPLES,
            "body size": foreign.TOO_LONG_BODY,
            "labels": foreign.TOO_MANY_LABELS,
            "targets": foreign.TOO_MANY_TARGETS,
        },
        EVENT_SECONDS,
    )
    words = Words(
        summary="Scrape refused: over the limit of {{ $labels.limit }}",
        impact="No user is hurt, but nothing of the refused targets is seen; alerts that rest on them are blind.",
        action="On Prometheus' page /targets, find who is refused; then find out what has grown on its page.",
        description="Prometheus at {{ $labels.instance }} refused scrapes within the last "
        f"{duration(window)} because they had more {{{{ $labels.limit }}}} than its configuration allows.",
        value='{{ printf "%.0f" $value }} refused',
        threshold="none",
    )
    return _ticket("ScrapeLimitHit", refused, words, pending=30, memory=window)


def _cardinality(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("CardinalityGrowth", NEW_SERIES)
    hour = duration(timing.window(STORE_SECONDS))
    added = f"sum_over_time({foreign.SERIES_ADDED.over(hour)})"
    words = Words(
        summary="Too many new series: {{ $labels.job }} on {{ $labels.host }}",
        impact="No user is hurt yet; Prometheus gets slow and then runs out of memory, and every alert with it.",
        action="Find the label that grows: topk(5, count by (__name__) ({instance='{{ $labels.instance }}'})).",
        description=f"{{{{ $labels.job }}}} at {{{{ $labels.instance }}}} has brought so many new series within {hour}"
        " that some label of it must be unbounded: a request, a user, a path.",
        value='{{ printf "%.0f" $value }} new series',
        threshold=f"at most {limit:g} in {hour}",
    )
    expr = f"{added} > {limit:g}\nand {added} > {NEW_SERIES_FACTOR} * ({foreign.SAMPLES} offset {hour})"
    return _ticket("CardinalityGrowth", expr, words, pending=60, memory=timing.window(STORE_SECONDS))


def _rules_failing(timing: Timing) -> Alert:
    window = timing.window(EVENT_SECONDS)
    words = Words(
        summary="Rules fail: group {{ $labels.rules }}",
        impact="Alerts of this group may not fire; nobody would be told of what they watch.",
        action="On Prometheus' page /rules, read the error beside the rule.",
        description="Prometheus at {{ $labels.instance }} could not evaluate rules of the group "
        f"{{{{ $labels.rules }}}} within the last {duration(window)}.",
        value='{{ printf "%.0f" $value }} failed',
        threshold="none",
    )
    expr = f"{_per_group(f'increase({foreign.RULE_FAILURES.over(duration(window))})')} > 0"
    return _ticket("RuleEvaluationFailing", expr, words, memory=window)


def _rules_missed(timing: Timing, objectives: Objectives) -> Alert:
    limit = objectives.threshold("RuleEvaluationMissed", RULES_MISSED_RATIO)
    window = timing.window(EVENT_SECONDS)
    missed, due = (
        _per_group(f"increase({signal.over(duration(window))})")
        for signal in (foreign.RULE_MISSED, foreign.RULE_ITERATIONS)
    )
    words = Words(
        summary="Rules late: group {{ $labels.rules }}",
        impact="Pages of this group come later than promised.",
        action="On Prometheus' page /rules, find the slowest rule; then see whether its host lacks CPU.",
        description="Prometheus at {{ $labels.instance }} needs longer for the group {{ $labels.rules }} than its "
        f"interval, and left out evaluations within the last {duration(window)}.",
        value="{{ $value | humanizePercentage }} left out",
        threshold=f"at most {limit * 100:.4g} %",
    )
    return _ticket("RuleEvaluationMissed", f"{missed} / {due} > {limit:g}", words, pending=60, memory=window)


def _per_group(expr: str) -> str:
    """Per rule group by its name; Prometheus names a group by the path of its file, too, which tells nobody more."""
    return f'sum without (rule_group) (label_replace({expr}, "rules", "$1", "rule_group", ".*;(.*)"))'


def _reload_failed(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))
    states = (foreign.PROMETHEUS_RELOADED, foreign.ALERTMANAGER_RELOADED)
    words = Words(
        summary="Configuration refused: {{ $labels.job }} on {{ $labels.host }}",
        impact="No user is hurt; {{ $labels.job }} keeps its old configuration, and will not start with the new one.",
        action="On {{ $labels.host }}, read the log of {{ $labels.job }}: it names the file and the line.",
        description="{{ $labels.job }} at {{ $labels.instance }} could not take over its configuration when it was "
        "told to read it anew.",
    )
    expr = "\nor\n".join(f"last_over_time({state.over(bridge)}) == 0" for state in states)
    return _ticket("ConfigReloadFailed", expr, words, pending=60)


def _store(timing: Timing) -> Alert:
    window = timing.window(STORE_SECONDS)
    failures = _named(
        timing,
        "failure",
        {
            "write-ahead log corrupt": foreign.WAL_CORRUPTIONS,
            "write-ahead log not written": foreign.WAL_WRITE_FAILURES,
            "compaction failed": foreign.COMPACTION_FAILURES,
            "block not loaded": foreign.BLOCK_RELOAD_FAILURES,
            "truncation failed": foreign.TRUNCATION_FAILURES,
            "checkpoint failed": foreign.CHECKPOINT_FAILURES,
        },
        STORE_SECONDS,
    )
    words = Words(
        summary="Prometheus' store has trouble: {{ $labels.failure }}",
        impact="No user is hurt yet; history may be lost, and a full disk or memory ends all alerting.",
        action="Is the disk of {{ $labels.host }} full? df -h; then read Prometheus' log.",
        description="Prometheus at {{ $labels.instance }} counted this within the last "
        f"{duration(window)}: {{{{ $labels.failure }}}}.",
        value='{{ printf "%.0f" $value }} times',
        threshold="never",
    )
    return _ticket("TsdbTrouble", failures, words, memory=window)


def _named(timing: Timing, label: str, counters: dict[str, Signal], seconds: float) -> str:
    """Every counter that rose within the look-back, its name for people in a label; one that is missing hides none."""
    window = duration(timing.window(seconds))
    return "\nor\n".join(
        f'label_replace(increase({counter.over(window)}) > 0, "{label}", "{name}", "", "")'
        for name, counter in counters.items()
    )


def _alertmanager_unreachable(timing: Timing) -> Alert:
    bridge, window = duration(timing.window(15)), timing.window(SENDS_SECONDS)
    words = Words(
        summary="Alertmanager unreachable: from {{ $labels.instance }}",
        impact="Pages wait or are lost; where there is one Alertmanager only, this message comes after the fact.",
        action="Does Alertmanager answer? curl -sS -m 5 http://<alertmanager>/-/ready, from Prometheus' host.",
        description="Prometheus at {{ $labels.instance }} knows no Alertmanager, or its sends to one of them failed "
        f"within the last {duration(window)}.",
    )
    # Not prometheus_notifications_dropped_total: it is 1 after every start, before Alertmanager is discovered.
    expr = (
        f"last_over_time({foreign.ALERTMANAGERS.over(bridge)}) < 1\n"
        f"or\nsum without (alertmanager) (increase({foreign.SEND_ERRORS.over(duration(window))})) > 0"
    )
    return _ticket("AlertmanagerUnreachable", expr, words, pending=60, memory=window)


def _notification_failing(timing: Timing) -> Alert:
    window = timing.window(EVENT_SECONDS)
    failed = f"increase({foreign.FAILED_NOTIFICATIONS.over(duration(window))})"
    return Alert(
        name="NotificationFailing",
        # Later versions split failures by reason, and renamed one of them: never match on it.
        expr=f"sum by ({_CHANNEL}) ({failed}) > 0\nor\n{_stuck(timing)}",
        severity="page",
        cls="meta",
        component="telemetry",
        summary="Notifications fail: {{ $labels.integration }}",
        impact="Messages through {{ $labels.integration }} are lost; you have this one because another channel works.",
        action="Read Alertmanager's log for the answer of {{ $labels.integration }}: a revoked key, a limit, a 5xx?",
        description="Alertmanager at {{ $labels.instance }} gave up messages to {{ $labels.integration }} within the "
        f"last {duration(window)}, after retries where the channel allows them, or waits for its answer in vain.",
        value='{{ printf "%.0f" $value }} lost',
        threshold="none",
        board=_BOARD,
        keep_firing=60,
        # A channel that answers 5xx or hangs is retried until the next flush, and counts as failed only then.
        delay=_patience(timing),
        memory=window,
    )


def _patience(timing: Timing) -> float:
    """How long Alertmanager tries one notification, in seconds on this clock; and some evaluations at least."""
    return max(ATTEMPT_SECONDS, timing.group_interval, 3 * timing.evaluation_interval)


def _stuck(timing: Timing) -> str:
    """1 for a mail server that has not answered for longer than anybody waits.

    Alertmanager gives it no deadline, and counts the notification neither as sent nor as failed: it was begun, and is
    neither among the attempts that succeeded nor among what was given up. Other channels do have a deadline.
    """
    mails = foreign.NOTIFICATIONS.where(integration="email")
    begun, tried, refused, given_up = (
        f"sum by ({_CHANNEL}) ({signal})"
        for signal in (mails, foreign.ATTEMPTS, foreign.FAILED_ATTEMPTS, foreign.FAILED_NOTIFICATIONS)
    )
    patience, step = _patience(timing), timing.evaluation_interval
    open_all_the_time = f"sum_over_time(\n  (\n    {begun}\n    - {tried}\n    + {refused}\n    - {given_up}\n"
    open_all_the_time += f"    > bool 0\n  )[{duration(patience)}:{duration(step)}]\n)"
    return f"{open_all_the_time} >= {patience // step:g} > bool 0"


def _watchdog() -> Alert:
    return Alert(
        name="Watchdog",
        expr="vector(1)",
        severity="none",
        cls="meta",
        component="telemetry",
        summary="Heartbeat of the alerting",
        impact="None while it fires; where it stops, no alert of this stack can reach anyone.",
        action="Nothing: the dead man's switch pages when this stops.",
        description="Fires always, and is sent to the dead man's switch, which pages when it stops.",
    )
