"""Finds the knee: the highest rate that a service takes before answers come late or not at all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference.load.results import Results, percentiles

_GROWTH = 1.5
_REFINEMENTS = 3
_STEPS = 20
_FAILED_RATIO = 0.01


@dataclass(frozen=True, slots=True)
class Step:
    """One rate that was tried."""

    rate: float
    results: Results
    first_token: float
    """90th percentile, in seconds; infinity where no answer came."""

    def holds(self, limit: float) -> bool:
        """Whether nine of ten first tokens came within `limit` seconds, and as good as nothing failed."""
        failed = self.results.errors.total() / max(1, self.results.sent)
        return self.first_token <= limit and failed <= _FAILED_RATIO

    def line(self, limit: float) -> str:
        """It, for the table."""
        return (
            f"{self.rate:8.2f} requests/s  {self.results.tokens / self.results.seconds:8.1f} tokens/s  "
            f"first token p90 {self.first_token * 1000:7.0f} ms  {self.results.errors.total():4d} failed  "
            f"{'holds' if self.holds(limit) else 'does not hold'}"
        )


async def find_knee(
    attempt: Callable[[float], Awaitable[Results]], rate: float, limit: float, show: Callable[[str], None]
) -> float | None:
    """The highest rate that held, to a tenth or so; None where even the first did not.

    Args:
        attempt: Runs one rate to its end.
        rate: The first rate; each next one is half as high again, until one does not hold.
        limit: Seconds for the first token.
        show: Told about each step.
    """
    held, failed = None, None
    for _ in range(_STEPS):
        step = await _try(attempt, rate)
        show(step.line(limit))
        if not step.holds(limit):
            failed = rate
            break
        held, rate = rate, rate * _GROWTH
    for _ in range(_REFINEMENTS if held and failed else 0):
        assert held is not None
        assert failed is not None
        step = await _try(attempt, (held + failed) / 2)
        show(step.line(limit))
        held, failed = (step.rate, failed) if step.holds(limit) else (held, step.rate)
    return held


async def _try(attempt: Callable[[float], Awaitable[Results]], rate: float) -> Step:
    results = await attempt(rate)
    found = percentiles(results.first_token)
    return Step(rate, results, found["p90"] if found else float("inf"))
