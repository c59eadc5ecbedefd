"""Page or ticket: a broken engine or GPU pages only where a service has fewer healthy replicas than it needs.

Each such alert states its condition once; it is recorded as `llm:root` or `gpu:root`, the replicas that it breaks are
counted against what objectives.yaml says is needed, and it is written as two rules of one name: a page where redundancy
is gone, a ticket where it is left. A GPU of which nobody says who computes on it pages.
"""

from dataclasses import replace

from alerts.objectives import Objectives
from alerts.rule import Alert, Recording
from alerts.signals import (
    ENGINE_GPU,
    ENGINE_GPU_FAILED,
    ENGINE_ROOT,
    ENGINE_UP,
    GPU_ROOT,
    GPU_SPARED,
    REPLICAS_HEALTHY,
    REPLICAS_NEEDED,
)
from alerts.timing import Timing, duration

_SERVICE = "cluster, namespace, service"
_SPARE_IMPACT = (
    "Nobody yet: {{ $labels.service }} has as many healthy replicas left as it needs. One more loss may hurt users."
)
_REPLICA = f"{_SERVICE}, job, instance"

_EVERYONE = f"count by ({_SERVICE}) ({ENGINE_UP})"
_BROKEN = f"count by ({_SERVICE}) (count by ({_REPLICA}) ({ENGINE_ROOT}))"
_HEALTHY = f"{_EVERYONE} - ({_BROKEN} or {_EVERYONE} * 0)"

_USERS_OF_GPU = (
    f'query (printf `{ENGINE_GPU}{{cluster="%s", uuid="%s"}}` $labels.cluster $labels.uuid) | sortByLabel "instance"'
)
_EACH = (
    "{{ range $i, $one := %s }}{{ if $i }}, {{ end }}{{ $one.Labels.service }} ({{ $one.Labels.instance }}){{ end }}"
)
_GPU_OF = "{{ with " + _USERS_OF_GPU + " }} It serves " + _EACH % "." + ".{{ end }}"
_GPU_SPARE_IMPACT = (
    "Nobody yet: every service on this GPU has as many healthy replicas left as it needs. One more loss may hurt users."
)
_GPU_SPARE_ACTION = "Drain " + _EACH % _USERS_OF_GPU + ". "


def recordings_of(
    roots: tuple[Alert, ...], timing: Timing, objectives: Objectives, remembered: float
) -> tuple[Recording, ...]:
    """What the alerts of one group that break replicas need, in this order, after the group's signals.

    Args:
        roots: These alerts.
        timing: The clock.
        objectives: How many replicas each service needs.
        remembered: Seconds on this clock for which twins lead from a GPU that failed to its engines.
    """
    gpus = tuple(root for root in roots if root.component == "gpu")
    engines = tuple(root for root in roots if root not in gpus)
    made = tuple(Recording(ENGINE_ROOT.name, root.expr, {"root": root.name}) for root in engines)
    if engines:
        made += _counted(objectives)
    made += tuple(Recording(GPU_ROOT.name, root.expr, {"root": root.name}) for root in gpus)
    if gpus:
        made += (_failed(remembered), *(_engines_on(root) for root in gpus), _spared(timing))
    return made


def page_and_ticket(alert: Alert) -> tuple[Alert, Alert]:
    """The two rules of an alert that breaks a replica."""
    return _of_gpu(alert) if alert.component == "gpu" else _of_engine(alert)


def _counted(objectives: Objectives) -> tuple[Recording, ...]:
    """Healthy and needed replicas of each service."""
    stated = {name: service.needed for name, service in objectives.services.items() if service.needed is not None}
    needed = [
        f"count by ({_SERVICE}) ({ENGINE_UP.where(service=name)}) * 0 + {count}" for name, count in stated.items()
    ]
    # `or` keeps the left side, so a stated number goes before "all".
    return (
        Recording(REPLICAS_HEALTHY.name, _HEALTHY),
        Recording(REPLICAS_NEEDED.name, "\nor\n".join([*needed, _EVERYONE])),
    )


def _failed(remembered: float) -> Recording:
    lately = f"last_over_time({GPU_ROOT.over(duration(remembered))})"
    return Recording(ENGINE_GPU_FAILED.name, f"{ENGINE_GPU} and on (cluster, uuid) {lately}")


def _engines_on(root: Alert) -> Recording:
    """The engines that compute on a GPU that a root's condition holds for."""
    gpus = f"max by (cluster, uuid) ({GPU_ROOT.where(root=root.name)})"
    engines = f"max without (uuid) ({ENGINE_GPU_FAILED} * on (cluster, uuid) group_left () {gpus})"
    return Recording(ENGINE_ROOT.name, engines, {"root": root.name})


def _spared(timing: Timing) -> Recording:
    # Counted here and not read from the group of the engines, which is one evaluation behind: the ticket would be
    # sent first, and the page after it.
    short = f"({_HEALTHY}) < {REPLICAS_NEEDED}"
    broken = f"max by (cluster, uuid) ({GPU_ROOT})"
    spared = f"{broken} and on (cluster, uuid) {ENGINE_GPU_FAILED} unless on (cluster, uuid) (\n"
    spared += f"  {ENGINE_GPU_FAILED} and on ({_SERVICE}) {short}\n)"
    # A GPU that is drained as its ticket asks is nobody's from then on, but must not page for it.
    before = f"last_over_time({GPU_SPARED.over(duration(timing.window(60)))})"
    drained = f"{before} and on (cluster, uuid) {broken} unless on (cluster, uuid) {ENGINE_GPU_FAILED}"
    return Recording(GPU_SPARED.name, f"{spared}\nor\n{drained}")


def _of_engine(alert: Alert) -> tuple[Alert, Alert]:
    lost = f"{REPLICAS_HEALTHY} < {REPLICAS_NEEDED}"
    state = f"max without (root) ({ENGINE_ROOT.where(root=alert.name)})"
    page = f"{state}\nand on ({_SERVICE}) ({lost})"
    ticket = f"{state}\nunless on ({_SERVICE}) ({lost})"
    spare = replace(alert, expr=ticket, severity="ticket", hard=False, impact=_SPARE_IMPACT, mutes=())
    return replace(alert, expr=page), spare


def _of_gpu(alert: Alert) -> tuple[Alert, Alert]:
    state = f"max without (root) ({GPU_ROOT.where(root=alert.name)})"
    page = replace(
        alert,
        expr=f"{state}\nunless on (cluster, uuid) {GPU_SPARED}",
        description=alert.description + _GPU_OF,
    )
    ticket = replace(
        page,
        expr=f"{state}\nand on (cluster, uuid) {GPU_SPARED}",
        severity="ticket",
        hard=False,
        impact=_GPU_SPARE_IMPACT,
        action=_GPU_SPARE_ACTION + alert.action,
        mutes=(),
    )
    return page, ticket
