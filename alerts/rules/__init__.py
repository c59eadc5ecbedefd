"""The catalogue of rules: one file per subject, listed here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from alerts.objectives import Objectives, check_names, load
from alerts.rule import Alert, Group
from alerts.rules import (
    capacity,
    changes,
    engine,
    engine_load,
    engine_pace,
    gpu,
    gpu_limits,
    gpu_use,
    gpu_wear,
    host,
    rollups,
    service,
    slo,
    telemetry,
)
from alerts.rules.inhibitors import check_leads, engines_remembered, twins
from alerts.rules.redundancy import page_and_ticket, recordings_of
from alerts.timing import Timing

Build = Callable[[Timing, Objectives], Group]
GROUPS: tuple[Build, ...] = (
    engine.group,
    engine_load.group,
    engine_pace.group,
    service.group,
    capacity.group,
    slo.group,
    slo.slow_group,
    gpu.group,
    gpu_wear.group,
    gpu_limits.group,
    gpu_use.group,
    host.group,
    telemetry.group,
    rollups.group,
    changes.group,
)


def catalogue(timing: Timing, objectives: Objectives | None = None) -> dict[str, Alert]:
    """Every alert that people know of, by name, at this clock; without inhibitor twins.

    Args:
        timing: The clock.
        objectives: What the user changed; None reads alerts/objectives.yaml.
    """
    return {alert.name: alert for group in _stated(timing, objectives or load()) for alert in group.alerts}


class _Asked(dict[str, float]):
    """Thresholds as objectives.yaml states them; notes which ones the catalogue asks for, and its defaults."""

    def __init__(self, stated: Mapping[str, float]) -> None:
        super().__init__(stated)
        self.defaults: dict[str, float] = {}

    def get(self, alert: str, default: float) -> float:  # type: ignore[override]
        self.defaults[alert] = default
        return super().get(alert, default)


def thresholds(timing: Timing, objectives: Objectives) -> dict[str, float]:
    """The catalogue's own threshold of each alert that has one to be changed, in the alert's unit."""
    asked = _Asked(objectives.thresholds)
    for build in GROUPS:
        build(timing, replace(objectives, thresholds=asked))
    return dict(sorted(asked.defaults.items()))


def groups(timing: Timing, objectives: Objectives | None = None) -> tuple[Group, ...]:
    """Every group as it is written: page and ticket of each alert that breaks a replica, then its inhibitor twins.

    Raises:
        ValueError: On a clock at which a symptom could be sent before its root is there to mute it, or where
            objectives name an alert that does not exist.
    """
    stated = objectives or load()
    known = catalogue(timing, stated)
    names = {alert.name for build in GROUPS for alert in build(timing, stated).alerts}
    check_names(stated, names, thresholds(timing, stated))
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
    remembered = engines_remembered(roots, timing, known) if roots else 0
    recordings = group.recordings + recordings_of(roots, timing, objectives, remembered)
    rules = [rule for alert in group.alerts for rule in (*_by_severity(alert), *twins(alert, timing, known))]
    # A root of several rules, one for each objective, has one twin, after the last of them.
    once = tuple(dict.fromkeys(reversed(rules)))[::-1]
    return replace(group, recordings=recordings, alerts=once)


def _by_severity(alert: Alert) -> tuple[Alert, ...]:
    return page_and_ticket(alert) if alert.breaks_replica and alert.severity == "page" else (alert,)
