"""What users of a service feel, measured from outside by the prober."""

from alerts import boards, signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group, Mute
from alerts.rules.engine import FLAP_SECONDS, HUNG_WINDOW_SECONDS
from alerts.timing import Timing, duration
from exporters.catalogue import probe
from exporters.catalogue.labels import CLUSTER, SERVICE
from exporters.catalogue.metric import Metric

_BOARD = boards.OF_SERVICE

RIGHT_RATIO = 0.8
"""Of the answers of two minutes. One replica of four that answers wrongly is found; the near ties of an engine whose
sums depend on its batch (exporters/probe/README.md) are rarer than one answer in five."""
WRONG_WINDOW_SECONDS = 120

_OF_USERS = ("ServiceDown", "SloFastBurn")
ENGINE_TICKETS = ("EngineQueueBacklog", "EngineRejections", "EngineErrorsInternal")
"""Tickets that say why users are hurt, and are no news once a page says that they are."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """The probe's signals, then the alerts on them."""
    recordings = (
        record(signals.PROBE_SUCCESS, _probed(probe.SUCCESS)),
        record(signals.PROBE_TIME_TO_FIRST_TOKEN, _probed(probe.TIME_TO_FIRST_TOKEN)),
        record(signals.PROBE_ANSWER_MATCHES, _probed(probe.ANSWER_MATCHES)),
    )
    return Group("service", recordings, (_capacity_lost(timing), _down(timing), _wrong(timing, objectives)))


def _probed(metric: Metric) -> str:
    """A probe's metric with `service` naming what was probed, not the prober."""
    renamed = f'label_replace({metric}, "service", "$1", "target_service", "(.+)")'
    return f"max without (target_service, host) ({renamed})"


def _capacity_lost(timing: Timing) -> Alert:
    of = '{cluster="%s", namespace="%s", service="%s"}` $labels.cluster $labels.namespace $labels.service'
    broken = f'query (printf `{signals.ENGINE_ROOT}{of}) | sortByLabel "instance"'
    return Alert(
        name="ServiceCapacityLost",
        expr=f"{signals.REPLICAS_HEALTHY} < {signals.REPLICAS_NEEDED}",
        severity="page",
        cls="symptom",
        component="service",
        summary="Capacity lost: {{ $labels.service }} has too few healthy replicas",
        impact="Users of {{ $labels.service }} wait longer or are turned away; with no replica left, all of them are.",
        action="See on the board which engines of {{ $labels.service }} are not well; bring one back or add one.",
        description="Fewer replicas of {{ $labels.service }} are healthy than objectives.yaml says that its users "
        "need, and no engine's own page says why.",
        value="{{ $value | humanize }} healthy replicas{{ range $i, $one := "
        + broken
        + " }}{{ if $i }}, {{ else }} without "
        "{{ end }}{{ $one.Labels.instance }} ({{ $one.Labels.root }}){{ end }}",
        threshold=f"{{{{ with query (printf `{signals.REPLICAS_NEEDED}{of}) }}}}"
        "{{ . | first | value | humanize }}{{ end }} needed",
        board=_BOARD,
        pending=15,
        keep_firing=FLAP_SECONDS,
        # As slow as the slowest root behind it: a wedged engine.
        delay=timing.scrape_timeout,
        window=timing.window(HUNG_WINDOW_SECONDS),
        hops=2,  # replicas are counted in the group `engine`
        mutes=tuple(Mute(alert, (CLUSTER, SERVICE)) for alert in (*_OF_USERS, "EngineModelNotLoaded")),
    )


def _down(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))  # one missed scrape of the prober must not reset `for`
    known, probed = (
        f"last_over_time({signal.over(bridge)})"
        for signal in (signals.PROBE_SUCCESS.where(model__ne=""), signals.PROBE_SUCCESS)
    )
    return Alert(
        name="ServiceDown",
        # The prober learns the model's name by its first answer. What failed before that is no service of its own.
        expr=f"max by (cluster, namespace, service, model) (\n  {known}\n"
        f"  or {probed} unless on (cluster, namespace, service) {known}\n) == 0",
        severity="page",
        cls="symptom",
        component="service",
        summary="Service down: {{ $labels.service }} answers no probe",
        impact="Users of {{ $labels.service }} ({{ $labels.model }}) get errors, or no answer at all.",
        action="Send one request by hand as the runbook shows; its error says where to look next.",
        description="Every streamed completion that the prober sent to {{ $labels.service }} has failed or not "
        "ended within " + duration(timing.probe_timeout) + ".",
        value="{{ $value | humanize }} of the last probes succeeded",
        threshold="at least 1",
        board=_BOARD,
        pending=15,
        keep_firing=FLAP_SECONDS,
        delay=timing.probe_interval + timing.probe_timeout,
        mutes=tuple(Mute(alert, (CLUSTER, SERVICE)) for alert in ("SloFastBurn", *ENGINE_TICKETS)),
    )


def _wrong(timing: Timing, objectives: Objectives) -> Alert:
    least = objectives.threshold("EngineAnswersWrong", RIGHT_RATIO)
    window = timing.window(WRONG_WINDOW_SECONDS)
    right = f"avg_over_time({signals.PROBE_ANSWER_MATCHES.over(duration(window))})"
    return Alert(
        name="EngineAnswersWrong",
        # The worst target of the service: its other addresses do not make its answers right.
        expr=f"min by (cluster, namespace, service, model) ({right}) < {least:g}",
        severity="page",
        cls="symptom",
        component="service",
        summary="Wrong answers: {{ $labels.service }} does not say what it used to",
        impact="Users of {{ $labels.service }} ({{ $labels.model }}) get wrong answers that look well.",
        action="Were weights, engine or settings changed? Undo it. If not: drain the replica, and test its GPU.",
        description="The prober asks {{ $labels.service }} the same question again and again, without randomness, and "
        "the answer is no longer the one that this model gave before.",
        value="{{ $value | humanizePercentage }} of the answers are right",
        threshold=f"at least {least:.0%}",
        board=_BOARD,
        pending=30,
        keep_firing=FLAP_SECONDS,
        delay=timing.probe_interval + timing.probe_timeout,
        window=window,
    )
