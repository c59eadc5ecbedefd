"""An adapter: how one kind of engine, or one GPU source, fills the canonical signals. Pure data."""

from collections.abc import Callable
from dataclasses import dataclass

from alerts.rule import Recording
from alerts.signals import Signal
from alerts.timing import Timing


@dataclass(frozen=True, slots=True)
class Adapter:
    """One source of canonical signals."""

    kind: str
    """Value of the target label `engine`, or the name of the GPU source."""
    recordings: Callable[[Timing], tuple[Recording, ...]]


def record(signal: Signal, expr: str) -> Recording:
    """The recording that fills a signal."""
    return Recording(str(signal), expr)
