"""What came back, and the report on it."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_KEPT = 200_000
"""Times of the newest so many requests and gaps are kept: a demo runs for days."""
_SHARES = (50, 90, 99)


def percentiles(seconds: Iterable[float]) -> dict[str, float] | None:
    """p50, p90, p99 and the maximum, in seconds; None where there is nothing to take them of."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    found = {f"p{share}": ordered[round(share / 100 * (len(ordered) - 1))] for share in _SHARES}
    return found | {"max": ordered[-1]}


def _kept() -> deque[float]:
    return deque(maxlen=_KEPT)


@dataclass(slots=True)
class Results:
    """What came back. Times are in seconds."""

    started: float = field(default_factory=time.monotonic)
    finished: float | None = None
    """When the last answer came; None while the run goes on."""
    sent: int = 0
    open: int = 0
    ok: int = 0
    tokens: int = 0
    first_token: deque[float] = field(default_factory=_kept)
    between_tokens: deque[float] = field(default_factory=_kept)
    whole: deque[float] = field(default_factory=_kept)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """How long the run took, or has taken so far."""
        return (self.finished or time.monotonic()) - self.started

    def report(self) -> str:
        """The summary, several lines."""
        lines = [
            f"{self.ok} ok, {self.errors.total()} failed, {self.open} unfinished in {self.seconds:.1f} s",
            *(f"  {count} x {kind}" for kind, count in self.errors.most_common()),
            f"first token    {_shown(self.first_token)}",
            f"between tokens {_shown(self.between_tokens)}",
            f"whole answer   {_shown(self.whole)}",
            f"{self.ok / self.seconds:.2f} requests/s, {self.tokens / self.seconds:.1f} tokens/s",
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The summary for programs; times in seconds."""
        return {
            "seconds": self.seconds,
            "sent": self.sent,
            "ok": self.ok,
            "unfinished": self.open,
            "errors": dict(self.errors),
            "requests_per_second": self.ok / self.seconds,
            "tokens_per_second": self.tokens / self.seconds,
            "first_token": percentiles(self.first_token),
            "between_tokens": percentiles(self.between_tokens),
            "whole_answer": percentiles(self.whole),
        }


def _shown(seconds: Iterable[float]) -> str:
    found = percentiles(seconds)
    return "  ".join(f"{name} {value * 1000:.0f} ms" for name, value in found.items()) if found else "none"
