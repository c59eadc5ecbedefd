"""The types that every rule is made of: Alert, Recording, Group, and Mute for the inhibition graph.

An alert declares its times at the real clock; a `Timing` turns them into what is written. Knows nothing
of Alertmanager: routes and inhibit rules are derived from the same objects in alertmanager/.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Required, TypedDict

from alerts.timing import DELIVERY_SECONDS, NOTIFIER_SECONDS, Timing

Severity = Literal["page", "ticket", "none"]
"""page: a person now; ticket: a person in office hours; none: never delivered to people."""
Class = Literal["root", "symptom", "meta", "inhibitor"]
"""root: a broken part; symptom: what users feel; meta: the alerting itself; inhibitor: a hidden twin."""


class Words(TypedDict, total=False):
    """The texts of an alert, for functions that build several alike; their meanings stand at `Alert`."""

    summary: Required[str]
    impact: Required[str]
    action: Required[str]
    description: Required[str]
    value: str
    threshold: str
    peak: str


@dataclass(frozen=True, slots=True)
class Mute:
    """An edge of the inhibition graph: the alert that carries it mutes `alert` where `equal` labels agree."""

    alert: str
    equal: tuple[str, ...]
    """Non-empty; a label of it that is missing on either side means no muting."""
    together: bool = False
    """Both read one page of one exporter, so that the root's sample is there with the symptom's, not later."""
    slow: bool = False
    """Whether the muted alert clears only minutes after its cause. It then has a twin of its own, so that the long
    tail that it needs does not hide new trouble of alerts that clear at once."""
    by_engine: bool = False
    """The root is a GPU's, the muted alert an engine's or its service's: `llm:engine_gpu:info` leads from one to the
    other, and where it tells nothing of the GPU, nothing is muted."""

    @property
    def whole_service(self) -> bool:
        """Whether it mutes for a whole service.

        Only a root that pages may: one of many replicas explains nothing that all users feel.
        """
        return self.equal[-1] == "service"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: when it fires, who must act, and every word that the reader gets.

    Raises:
        ValueError: Where a text is missing, a name is not CamelCase, or a page lacks what every page needs.
    """

    name: str
    expr: str
    severity: Severity
    cls: Class
    component: str
    """The kind of thing that is broken: engine, gpu, service, telemetry."""
    summary: str
    """The title: what is wrong with what, in the reader's words; no value that changes between evaluations."""
    impact: str
    """Who is hurt, in users' terms."""
    action: str
    """What to do first."""
    description: str
    value: str = ""
    """The measured value with its unit, as a Prometheus template; empty where there is none."""
    threshold: str = ""
    """What it is compared with, in the same unit."""
    peak: str = ""
    """The worst value within the hour, as a Prometheus template; for alerts whose value rises and falls."""
    board: str = ""
    """Path and query of the dashboard below Grafana's URL, as a Prometheus template."""
    pending: float = 0
    """`for`, in seconds at the real clock."""
    keep_firing: float = 0
    """keep_firing_for, in seconds at the real clock: how long good readings must last before it resolves."""
    hard: bool = False
    """True where the bound must stay within 60 s."""
    delay: float = 0
    """Seconds at this clock from the fault to a changed sample: collection interval, probe, timeout."""
    window: float = 0
    """Seconds at this clock until the expression's look-back window is full of the fault."""
    memory: float = 0
    """Seconds at this clock for which the expression remembers a past event; delays the resolve, not the page."""
    soonest: float = 0
    """Seconds at this clock that even the worst fault needs to fill enough of the look-back window."""
    drained: float | None = None
    """Seconds at this clock until good readings alone fill the look-back window; None: as long as `window`."""
    hops: int = 1
    """Evaluations from a sample to a firing alert: 1, and one more for each recording in another group."""
    mutes: tuple[Mute, ...] = ()
    breaks_replica: bool = False
    """Whether a replica is broken while it fires, so that it pages only where a service is left with fewer healthy
    replicas than it needs, and is a ticket otherwise (alerts/rules/redundancy.py). A GPU pages, too, where nobody
    says whose it is. One that is a ticket stays one: where its replica is needed, ServiceCapacityLost pages."""

    def __post_init__(self) -> None:
        """Refuse an alert that could not be acted upon."""
        if not re.fullmatch(r"([A-Z][a-z0-9]+)+", self.name):
            raise ValueError(f"alert {self.name!r}: not CamelCase")
        for text in ("summary", "impact", "action", "description"):
            if not getattr(self, text).strip() and self.cls != "inhibitor":
                raise ValueError(f"alert {self.name}: no {text}")
        if self.severity == "page" and not self.board:
            raise ValueError(f"alert {self.name}: a page needs a board to look at")
        if any(not mute.equal for mute in self.mutes):
            raise ValueError(f"alert {self.name}: a mute without labels would mute the world")

    def bound(self, timing: Timing) -> float:
        """Longest time from fault to message, in seconds on this clock (reference: alerting, 2.1).

        Collection and probe, one scrape, the window, the evaluations, `for` rounded up to evaluations,
        notifier, the group wait of its class, delivery.
        """
        evaluation = timing.evaluation_interval
        pending = -(-timing.pending(self.pending) // evaluation) * evaluation
        wait = timing.symptom_group_wait if self.cls == "symptom" else timing.root_group_wait
        detect = self.delay + timing.scrape_interval + self.window + evaluation * self.hops
        return detect + pending + NOTIFIER_SECONDS + wait + DELIVERY_SECONDS

    def worst_bound(self, timing: Timing) -> float:
        """The same for a fault that takes everything, which fills a window sooner."""
        return self.bound(timing) - (max(0.0, self.window - self.soonest) if self.soonest else 0)

    def drain(self, timing: Timing) -> float:
        """Longest time from repair to the end of this alert, in seconds on this clock."""
        hold = timing.window(self.keep_firing) if self.keep_firing else 0
        return (
            self.delay
            + timing.scrape_interval
            + (self.window if self.drained is None else self.drained)
            + self.memory
            + hold
            + timing.evaluation_interval * self.hops
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in order: recordings, then alerts."""

    name: str
    recordings: tuple[Recording, ...]
    alerts: tuple[Alert, ...]
    interval: float | None = None
    """Seconds between evaluations on this clock; None: the clock's evaluation interval."""
    notes: tuple[str, ...] = ()
    """Lines that whoever opens the rule file should read first."""
