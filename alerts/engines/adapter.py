"""An adapter: how one kind of engine, or one GPU source, fills the canonical signals. Pure data."""

from collections.abc import Callable
from dataclasses import dataclass

from alerts.rule import Recording
from alerts.signals import ENGINE_GPU, ENGINE_UP, Signal
from alerts.timing import Timing, duration


@dataclass(frozen=True, slots=True)
class Adapter:
    """One source of canonical signals."""

    kind: str
    """Value of the target label `engine`, or the name of the GPU source."""
    recordings: Callable[[Timing], tuple[Recording, ...]]


def record(signal: Signal, expr: str) -> Recording:
    """The recording that fills a signal."""
    return Recording(str(signal), expr)


def record_gpus(kind: str, native: str, timing: Timing) -> Recording:
    """The recording that says on which GPUs the engines of a kind compute, by an expression with the label `uuid`.

    An engine that is down tells nothing, least of all one that its GPU took down: what it said last holds until it
    answers again.
    """
    said = ENGINE_GPU.where(engine=kind).over(duration(timing.window(60)))
    return record(ENGINE_GPU, f"{native}\nor\nlast_over_time({said}) and on (cluster, job, instance) {ENGINE_UP} == 0")
