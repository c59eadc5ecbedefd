"""A histogram in plain integers, for what comes too often for OpenTelemetry (12 us a call): tokens and steps."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.samples import Exemplar

from exporters.catalogue import llm


@dataclass(frozen=True, slots=True)
class TallyReading:
    """A tally at one moment."""

    counts: tuple[int, ...]
    """By bucket, not cumulative; one more than there are bounds."""
    sum: float
    exemplars: dict[int, Exemplar]
    """By bucket."""


class Tally:
    """Counts values into buckets. One thread adds; any thread reads and may miss a part of what is being added.

    Args:
        bounds: Upper bounds, inclusive; the last bucket has none.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, Exemplar] = {}

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_all(self, values: Sequence[float]) -> None:
        """Count many."""
        # Not `add` for each: this is what a token costs.
        bounds, counts = self._bounds, self._counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self._sum += sum(values)

    def mark(self, exemplar: Exemplar) -> None:
        """Keep an exemplar of a value that was counted; the newest of a bucket stays."""
        self._exemplars[bisect_left(self._bounds, exemplar.value)] = exemplar

    def read(self) -> TallyReading:
        """What was counted so far."""
        return TallyReading(tuple(self._counts), self._sum, dict(self._exemplars))


class Steps:
    """What is counted of the engine's turns, on the engine's thread: 1 us a turn."""

    def __init__(self) -> None:
        self.time = Tally(llm.STEP_TIME.buckets)
        self.batch = Tally(llm.BATCH_SIZE.buckets)

    def add(self, seconds: float, batch_size: int) -> None:
        """Count a turn that had work: how long it worked, on how many sequences."""
        self.time.add(seconds)
        self.batch.add(batch_size)
