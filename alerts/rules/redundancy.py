"""Page or ticket: a broken engine pages only where a service has fewer healthy replicas than it needs.

Each such alert states its condition once; it is recorded as `llm:root`, counted against what
objectives.yaml says is needed, and written as two rules of one name: a page where redundancy is gone, a ticket where
it is left.
"""

from dataclasses import replace

from alerts.objectives import Objectives
from alerts.rule import Alert, Recording
from alerts.signals import ENGINE_ROOT, ENGINE_UP, REPLICAS_HEALTHY, REPLICAS_NEEDED

_SERVICE = "cluster, namespace, service"
_SPARE_IMPACT = (
    "Nobody yet: {{ $labels.service }} has as many healthy replicas left as it needs. One more loss may hurt users."
)
_REPLICA = f"{_SERVICE}, job, instance"


def root_recording(alert: Alert) -> Recording:
    """The alert's condition as a recorded series, with its value."""
    return Recording(ENGINE_ROOT.name, alert.expr, {"root": alert.name})


def replica_recordings(objectives: Objectives) -> tuple[Recording, ...]:
    """Healthy and needed replicas of each service."""
    everyone = f"count by ({_SERVICE}) ({ENGINE_UP})"
    broken = f"count by ({_SERVICE}) (count by ({_REPLICA}) ({ENGINE_ROOT}))"
    healthy = Recording(REPLICAS_HEALTHY.name, f"{everyone} - ({broken} or {everyone} * 0)")
    stated = {name: service.needed for name, service in objectives.services.items() if service.needed is not None}
    needed = [
        f"count by ({_SERVICE}) ({ENGINE_UP.where(service=name)}) * 0 + {count}" for name, count in stated.items()
    ]
    # `or` keeps the left side, so a stated number goes before "all".
    return (healthy, Recording(REPLICAS_NEEDED.name, "\nor\n".join([*needed, everyone])))


def page_and_ticket(alert: Alert) -> tuple[Alert, Alert]:
    """The two rules of an alert that breaks a replica."""
    lost = f"{REPLICAS_HEALTHY} < {REPLICAS_NEEDED}"
    state = f"max without (root) ({ENGINE_ROOT.where(root=alert.name)})"
    page = f"{state}\nand on ({_SERVICE}) ({lost})"
    ticket = f"{state}\nunless on ({_SERVICE}) ({lost})"
    spare = replace(alert, expr=ticket, severity="ticket", hard=False, impact=_SPARE_IMPACT, mutes=())
    return replace(alert, expr=page), spare
