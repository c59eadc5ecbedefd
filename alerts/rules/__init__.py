"""The catalogue of rules: one file per subject, listed here."""

from collections.abc import Callable
from dataclasses import replace

from alerts.rules import engine, gpu, service, telemetry
from alerts.rules.inhibitors import check_leads, twins
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing

GROUPS: tuple[Callable[[Timing], Group], ...] = (engine.group, service.group, gpu.group, telemetry.group)


def catalogue(timing: Timing) -> dict[str, Alert]:
    """Every alert that people know of, by name, at this clock; without inhibitor twins."""
    return {alert.name: alert for build in GROUPS for alert in build(timing).alerts}


def groups(timing: Timing) -> tuple[Group, ...]:
    """Every group as it is written: each root followed by its inhibitor twins.

    Raises:
        ValueError: On a clock at which a symptom could be sent before its root is there to mute it.
    """
    known = catalogue(timing)
    check_leads(known, timing)
    return tuple(_with_twins(build(timing), timing, known) for build in GROUPS)


def _with_twins(group: Group, timing: Timing, known: dict[str, Alert]) -> Group:
    alerts = tuple(rule for alert in group.alerts for rule in (alert, *twins(alert, timing, known)))
    return replace(group, alerts=alerts)
