"""Is the alerting itself alive, and can it see?"""

from alerts.objectives import Objectives
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing


def group(timing: Timing, objectives: Objectives) -> Group:
    """Alerts about targets that are no engines, and the heartbeat."""
    return Group("telemetry", (), (_target_down(timing), _watchdog()))


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
        board="d/fleet/fleet?var-cluster={{ $labels.cluster | urlquery }}",
        pending=30,
        keep_firing=60,
        delay=timing.scrape_timeout,
    )


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
