"""The catalogue of rules: one file per subject, listed here."""

from collections.abc import Callable
from dataclasses import replace

from alerts.objectives import Objectives, check_names, load
from alerts.rules import engine, gpu, gpu_limits, gpu_wear, service, telemetry
from alerts.rules.inhibitors import check_leads, twins
from alerts.rules.redundancy import page_and_ticket, replica_recordings, root_recording
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing

Build = Callable[[Timing, Objectives], Group]
GROUPS: tuple[Build, ...] = (engine.group, service.group, gpu.group, gpu_wear.group, gpu_limits.group, telemetry.group)


def catalogue(timing: Timing, objectives: Objectives | None = None) -> dict[str, Alert]:
    """Every alert that people know of, by name, at this clock; without inhibitor twins.

    Args:
        timing: The clock.
        objectives: What the user changed; None reads alerts/objectives.yaml.
    """
    stated = objectives or load()
    alerts = {alert.name: alert for build in GROUPS for alert in build(timing, stated).alerts}
    return {name: alert for name, alert in alerts.items() if name not in stated.disabled}


def groups(timing: Timing, objectives: Objectives | None = None) -> tuple[Group, ...]:
    """Every group as it is written: page and ticket of each alert that breaks a replica, then its inhibitor twins.

    Raises:
        ValueError: On a clock at which a symptom could be sent before its root is there to mute it, or where
            objectives name an alert that does not exist.
    """
    stated = objectives or load()
    known = catalogue(timing, stated)
    check_names(stated, {alert.name for build in GROUPS for alert in build(timing, stated).alerts})
    check_leads(known, timing)
    return tuple(_written(build(timing, stated), timing, stated, known) for build in GROUPS)


def _written(group: Group, timing: Timing, objectives: Objectives, known: dict[str, Alert]) -> Group:
    alerts = tuple(alert for alert in group.alerts if alert.name in known)
    roots = tuple(alert for alert in alerts if alert.breaks_replica)
    recordings = (*group.recordings, *(root_recording(root) for root in roots))
    if roots:
        recordings += replica_recordings(objectives)
    rules = tuple(rule for alert in alerts for rule in (*_by_severity(alert), *twins(alert, timing, known)))
    return replace(group, recordings=recordings, alerts=rules)


def _by_severity(alert: Alert) -> tuple[Alert, ...]:
    return page_and_ticket(alert) if alert.breaks_replica else (alert,)
