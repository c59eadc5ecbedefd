"""The catalogue of rules: one file per subject, listed here."""

from collections.abc import Callable
from dataclasses import replace

from alerts.objectives import Objectives, check_names, load
from alerts.rules import (
    capacity,
    engine,
    engine_load,
    gpu,
    gpu_limits,
    gpu_wear,
    host,
    rollups,
    service,
    slo,
    telemetry,
)
from alerts.rules.inhibitors import check_leads, twins
from alerts.rules.redundancy import page_and_ticket, replica_recordings, root_recording
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing

Build = Callable[[Timing, Objectives], Group]
GROUPS: tuple[Build, ...] = (
    engine.group,
    engine_load.group,
    service.group,
    capacity.group,
    slo.group,
    slo.slow_group,
    gpu.group,
    gpu_wear.group,
    gpu_limits.group,
    host.group,
    telemetry.group,
    rollups.group,
)


def catalogue(timing: Timing, objectives: Objectives | None = None) -> dict[str, Alert]:
    """Every alert that people know of, by name, at this clock; without inhibitor twins.

    Args:
        timing: The clock.
        objectives: What the user changed; None reads alerts/objectives.yaml.
    """
    return {alert.name: alert for group in _stated(timing, objectives or load()) for alert in group.alerts}


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
    return tuple(_written(group, timing, stated, known) for group in _stated(timing, stated))


def _stated(timing: Timing, objectives: Objectives) -> tuple[Group, ...]:
    """The groups without what is disabled, and without mutes of alerts that are not there."""
    made = [build(timing, objectives) for build in GROUPS]
    there = {alert.name for group in made for alert in group.alerts} - objectives.disabled
    return tuple(
        replace(group, alerts=tuple(_kept(alert, there) for alert in group.alerts if alert.name in there))
        for group in made
    )


def _kept(alert: Alert, there: set[str]) -> Alert:
    return replace(alert, mutes=tuple(mute for mute in alert.mutes if mute.alert in there))


def _written(group: Group, timing: Timing, objectives: Objectives, known: dict[str, Alert]) -> Group:
    roots = tuple(alert for alert in group.alerts if alert.breaks_replica)
    recordings = (*group.recordings, *(root_recording(root) for root in roots))
    if roots:
        recordings += replica_recordings(objectives)
    rules = [rule for alert in group.alerts for rule in (*_by_severity(alert), *twins(alert, timing, known))]
    # A root of several rules, one for each objective, has one twin, after the last of them.
    once = tuple(dict.fromkeys(reversed(rules)))[::-1]
    return replace(group, recordings=recordings, alerts=once)


def _by_severity(alert: Alert) -> tuple[Alert, ...]:
    return page_and_ticket(alert) if alert.breaks_replica else (alert,)
