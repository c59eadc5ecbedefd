"""Inhibitor twins: the hidden alert that stands for a root while it mutes its symptoms.

A twin exists from the moment its root is pending (so that a symptom is muted before it is sent) until the
tail after its root has resolved (so that a symptom that clears later does not page then). It mutes by
being the source of an inhibit rule; it is routed to nobody. Only firing leaves a tail: a blip that was
never more than pending stops muting at once. Nor does a root mute a whole service that was pending before and
did not fire: replicas that take turns to fail keep one of them pending for ever, and nobody would be told.
"""

from collections.abc import Mapping

from alerts.rule import Alert, Mute
from alerts.signals import ENGINE_GPU, ENGINE_GPU_FAILED
from alerts.timing import Timing, duration

TURNS_SECONDS = 60
"""A root that was pending so recently in vain announces no page: some scrapes of each of a few replicas."""


def twin_name(root: Alert, mute: Mute) -> str:
    """Name of the twin of a root on the scope of a mute: `EngineDownMutesService`, `GpuMissingMutesUuidSlow`."""
    return f"{root.name}Mutes{mute.equal[-1].capitalize()}{'Slow' if mute.slow else ''}"


def twins(root: Alert, timing: Timing, catalogue: Mapping[str, Alert]) -> tuple[Alert, ...]:
    """The twins of one root, one per scope and kind of tail; they belong in the root's group, after it.

    Raises:
        KeyError: If the root mutes an alert that is not in the catalogue.
    """
    scopes: dict[str, list[Mute]] = {}
    for mute in root.mutes:
        if mute.alert not in catalogue:
            continue  # disabled
        scopes.setdefault(twin_name(root, mute), []).append(mute)
    return tuple(_twin(name, root, mutes, timing, catalogue) for name, mutes in scopes.items())


def _twin(name: str, root: Alert, mutes: list[Mute], timing: Timing, catalogue: Mapping[str, Alert]) -> Alert:
    tail = duration(tail_seconds([catalogue[mute.alert] for mute in mutes], timing))
    paging = ', severity="page"' if mutes[0].whole_service else ""
    state = f'ALERTS{{alertname="{root.name}"{paging}}}'
    fired = f'ALERTS{{alertname="{root.name}", alertstate="firing"{paging}}}'
    lately = f"max_over_time({fired}[{tail}])"
    if mutes[0].whole_service and root.pending:
        announced = f"{_scoped(root, mutes[0], state)}\nunless {_scoped(root, mutes[0], _pended_before(root, timing))}"
        expr = f"{announced}\nor\n{_scoped(root, mutes[0], lately)}"
    elif mutes[0].by_engine:
        expr = _scoped(root, mutes[0], f"{state} or {lately}")  # the engines of all GPUs are looked up once
    else:
        expr = f"{_scoped(root, mutes[0], state)}\nor\n{_scoped(root, mutes[0], lately)}"
    return Alert(
        name=name,
        expr=expr,
        severity="none",
        cls="inhibitor",
        component=root.component,
        summary="",
        impact="",
        action="",
        description="",
    )


def _pended_before(root: Alert, timing: Timing) -> str:
    """A root that was pending so long ago that it fires by now, unless it was another time."""
    pending = f'ALERTS{{alertname="{root.name}", alertstate="pending", severity="page"}}'
    ago = duration(timing.pending(root.pending) + timing.evaluation_interval)
    return f"max_over_time({pending}[{duration(timing.window(TURNS_SECONDS))}] offset {ago})"


def _scoped(root: Alert, mute: Mute, state: str) -> str:
    """A root's state, on the labels of a mute."""
    scope = ", ".join(mute.equal)
    if not mute.by_engine:
        return f"max by ({scope}) ({state})"
    engines = ENGINE_GPU_FAILED if root.breaks_replica else ENGINE_GPU
    return f"max by ({scope}) ({engines} * on (cluster, uuid) group_left () max by (cluster, uuid) ({state}))"


def engines_remembered(roots: tuple[Alert, ...], timing: Timing, catalogue: Mapping[str, Alert]) -> float:
    """How long after the end of a GPU's condition a twin may still lead to its engines, in seconds on this clock."""
    mutes = [mute for root in roots for mute in root.mutes if mute.by_engine and mute.alert in catalogue]
    tail = tail_seconds([catalogue[mute.alert] for mute in mutes], timing) if mutes else 0
    # The alert outlives its condition, and the tail the alert; Prometheus 3 leaves out a range's very beginning.
    return tail + max(timing.window(root.keep_firing) for root in roots) + timing.evaluation_interval


def tail_seconds(muted: list[Alert], timing: Timing) -> float:
    """How long a twin must outlive its root, in seconds on this clock: until the slowest symptom has cleared."""
    return max(symptom.drain(timing) for symptom in muted)


def lead_seconds(root: Alert, mute: Mute, symptom: Alert, timing: Timing) -> float:
    """How long before a symptom's first message its root is at least pending, in seconds; negative is a leak.

    Worst case of the root (its slowest detection) against the best case of the symptom (detected at once, for, group
    wait). Where both are read from one page, only the evaluation can come between them.
    """
    evaluated = timing.evaluation_interval * root.hops
    seen = 0 if mute.together else root.delay + timing.scrape_interval + root.window
    wait: float = getattr(timing, _group_wait(symptom))
    return symptom.soonest + timing.pending(symptom.pending) + wait - seen - evaluated


def check_leads(catalogue: Mapping[str, Alert], timing: Timing) -> None:
    """Check every edge of the graph against the clock.

    Raises:
        ValueError: If a symptom could be sent before its root is pending; says what would do.
    """
    enough: dict[str, float] = {}
    leaks: list[tuple[float, str]] = []
    edges = [(root, mute) for root in catalogue.values() for mute in root.mutes if mute.alert in catalogue]
    for root, mute in edges:
        symptom = catalogue[mute.alert]
        lead = lead_seconds(root, mute, symptom, timing)
        if lead <= 0:
            leaks.append((lead, f"{symptom.name} before {root.name}"))
            setting = _group_wait(symptom)
            wait: float = getattr(timing, setting) - lead + timing.evaluation_interval
            enough[setting] = max(wait, enough.get(setting, 0))
    if leaks:
        remedy = " and ".join(f"{setting} to {seconds:g} or more" for setting, seconds in sorted(enough.items()))
        raise ValueError(f"timing: could send {min(leaks)[1]}; set {remedy}")


def _group_wait(symptom: Alert) -> str:
    """Which setting of the clock holds back the first message of a muted alert."""
    return "symptom_group_wait" if symptom.cls == "symptom" else "root_group_wait"
