"""How fast the machine is that the tests run on, the clock for it, and how long that clock tells of an end."""

import functools
import os
import time
from statistics import median
from typing import cast

from alerts.timing import CLOCKS, Clock, Timing, duration

SLOW_SECONDS = 0.08
"""For a million additions. Where they took 0.1 to 0.27 s, scrapes came later than the compressed clock's 0.9 s although
nothing was wrong with who was scraped."""


def lately_told(timing: Timing) -> str:
    """Query for alerts whose end may still be on its way: it is told up to a group interval later."""
    lately = duration(2 * timing.group_interval + 2)
    return f'last_over_time(ALERTS{{severity=~"page|ticket", component!="host"}}[{lately}])'


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
