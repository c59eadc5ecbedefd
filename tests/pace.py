"""How fast the machine is that the tests run on, and the clock for it."""

import functools
import os
import time
from statistics import median
from typing import cast

from alerts.timing import CLOCKS, Clock

SLOW_SECONDS = 0.08
"""For a million additions; where the compressed clock was made they take half of it. Beyond, a scrape of its 0.9 s can
be late although nothing is wrong with who is scraped."""


@functools.cache
def clock() -> Clock:
    """For stacks of the tests: INFERWATCH_CLOCK where it is set, relaxed on a slow machine, else compressed."""
    if (said := os.environ.get("INFERWATCH_CLOCK")) in CLOCKS:
        return cast("Clock", said)
    return "relaxed" if addition_seconds() > SLOW_SECONDS else "compressed"


def addition_seconds() -> float:
    """Wall time of a million additions: the median of seven, so that neither a pause nor a spurt counts."""
    return median(_timed() for _ in range(7))


def _timed() -> float:
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number
    return time.perf_counter() - began
