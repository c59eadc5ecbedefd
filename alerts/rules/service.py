"""What users of a service feel, measured from outside by the prober."""

from alerts import signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing, duration
from exporters.catalogue import probe
from exporters.catalogue.metric import Metric

_BOARD = "d/fleet/fleet?var-cluster={{ $labels.cluster | urlquery }}&var-service={{ $labels.service | urlquery }}"


def group(timing: Timing, objectives: Objectives) -> Group:
    """The probe's signals, then the alerts on them."""
    recordings = (
        record(signals.PROBE_SUCCESS, _probed(probe.SUCCESS)),
        record(signals.PROBE_TIME_TO_FIRST_TOKEN, _probed(probe.TIME_TO_FIRST_TOKEN)),
    )
    return Group("service", recordings, (_down(timing),))


def _probed(metric: Metric) -> str:
    """A probe's metric with `service` naming what was probed, not the prober."""
    renamed = f'label_replace({metric}, "service", "$1", "target_service", "(.+)")'
    return f"max without (target_service, host) ({renamed})"


def _down(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))  # one missed scrape of the prober must not reset `for`
    return Alert(
        name="ServiceDown",
        expr=f"max by (cluster, namespace, service, model) (last_over_time({signals.PROBE_SUCCESS.over(bridge)})) == 0",
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
        keep_firing=60,
        delay=timing.probe_interval + timing.probe_timeout,
    )
