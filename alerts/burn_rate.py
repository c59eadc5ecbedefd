"""Burn rates: over which windows, and how much faster than allowed, an error budget must burn before anyone is told.

Google's SRE workbook (chapter 5) gives one table of windows and factors, for 99.9 %. At 95 % those let a total outage
run for 43 minutes. Here they are solved for each objective, from how soon a fault of a given size must be noticed.

A pair of windows fires while the share of bad requests is above factor x allowed in both: the long one says that it
matters, the short one that it still goes on. A fault of share `bad` fills the long window at a constant speed, so the
pair notices it after `factor x allowed x long / bad`, once that threshold is below `bad` at all.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from alerts.timing import Timing

DAY = 86_400
MINUTE = 60
BASE_SECONDS = 60
"""The rates that windows are made of look back this long: `slo:bad:rate1m`."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A fault that makes this share of requests bad is noticed within this many seconds."""

    bad: float
    seconds: float


GOALS = (Goal(0.5, 5 * MINUTE), Goal(0.2, 15 * MINUTE))
"""Design, section 5."""
FAST_SHARE = 0.02
"""The most of a period's budget that may be gone before a page: the workbook's value for its fastest window."""
FAST_FOR = 30
"""A page waits this many seconds, so that the root behind it is known first: of a new incident soon after another,
Alertmanager sends at once what it otherwise holds back for its group's wait."""
SLOW_SHARE = 0.10
"""The same for a ticket: the workbook's value."""
SLOW_FOR = 15 * MINUTE
"""A ticket that can wait a day waits this long, so that the page of the same promise is there first and mutes it."""
SLOW_STEP = MINUTE
"""Windows of tickets and budgets are evaluated, and their base is thinned out, to one value in this many seconds."""

_LADDER = tuple(minutes * MINUTE for minutes in (5, 10, 15, 30, 60))
"""Long windows of pages. Longer ones would have short ones of more than 5 minutes, and mute for so long after an
incident."""
_COMFORTABLE = 6.0
"""The workbook pages from this factor on; the longest window that still has it forgives short bursts most."""
_ROOM = 2.0
"""A threshold is at most this part of the share that it must notice: the rest is for noise and for what was bad before.
It also means that a window lasts at least this many times as long as its goal."""
_LEAST_BURN = 4.0
"""A fault that burns slower than this leaves a 30-day budget a week: that is a ticket, so its goal sets no page."""
_LEAST_FACTOR = 1.2
"""Nobody is woken for a budget that burns hardly faster than allowed; a clock that would need it is refused."""
_SHORT = 12.0
"""Long windows per short one, as in the workbook."""
_SLOW_PART = 10.0
"""The ticket's long window is this part of the period: 3 days of 30, as in the workbook. A day at three times the pace,
which others add, takes the same tenth of the budget and is noticed at the same moment."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows in seconds at the real clock, and the factor that both must exceed."""

    long: float
    factor: float

    @property
    def short(self) -> float:
        """The window that ends the alert soon after the fault."""
        return self.long / _SHORT

    def threshold(self, allowed: float) -> float:
        """Share of bad requests that both windows must exceed."""
        return round(self.factor * allowed, 6)

    def seconds(self, allowed: float, bad: float) -> float:
        """From a fault of this share to the threshold; infinite where it is never reached."""
        threshold = self.threshold(allowed)
        return self.long * threshold / bad if threshold < bad else math.inf


def lag(timing: Timing) -> float:
    """Seconds from a fault until the windows see it in full: the base rate's ramp, a scrape, two evaluations.

    At the real clock's windows, also for a compressed clock, which is to have the same factors.
    """
    base = max(BASE_SECONDS, timing.scrapes_per_window * timing.scrape_interval)
    return base / 2 + timing.scrape_interval + 2 * timing.evaluation_interval


def fast_pairs(allowed: float, period: float, share: float, lag: float) -> tuple[Pair, ...]:
    """The windows that page, so that every goal is met; none twice that another pair meets.

    Args:
        allowed: Share of requests that may go wrong, above 0 to 0.1.
        period: Seconds that the budget has to last.
        share: The most of the budget that may be gone, 0 to 1.
        lag: As `lag` says for the clock.

    Raises:
        ValueError: The clock is too slow for the goals.
    """
    lag += FAST_FOR
    pairs: list[Pair] = []
    for goal in GOALS:
        if goal.bad / allowed >= _LEAST_BURN and not any(_meets(pair, goal, allowed, lag) for pair in pairs):
            pairs.append(_solve(goal, allowed, share * period, lag))
    return tuple(pairs)


def _solve(goal: Goal, allowed: float, most: float, lag: float) -> Pair:
    burnt = min(most, goal.bad * (goal.seconds - lag) / allowed)
    """Seconds of budget at the allowed pace: factor x long."""
    long_enough = [window for window in _LADDER if window >= _ROOM * goal.seconds]
    comfortable = [window for window in long_enough if burnt / window >= _COMFORTABLE]
    window = max(comfortable, default=long_enough[0])
    if burnt < _LEAST_FACTOR * window:
        raise ValueError(
            f"timing: too slow to notice within {goal.seconds / MINUTE:g} minutes that {goal.bad:.0%} of requests are "
            f"bad, where {allowed:.2%} may be; lower scrape_interval and evaluation_interval"
        )
    return Pair(window, math.floor(100 * burnt / window) / 100)


def _meets(pair: Pair, goal: Goal, allowed: float, lag: float) -> bool:
    clear = pair.threshold(allowed) * _ROOM <= goal.bad
    return clear and pair.seconds(allowed, goal.bad) + lag <= goal.seconds


def slow_pairs(period: float, share: float) -> tuple[Pair, ...]:
    """The windows of the ticket: the workbook's, as parts of the period."""
    return (Pair(period / _SLOW_PART, round(share * _SLOW_PART, 2)),)


def seconds_to_notice(pairs: Iterable[Pair], allowed: float, bad: float) -> float:
    """From a fault of this share to the first pair that notices it, without the lag; infinite where none does."""
    return min((pair.seconds(allowed, bad) for pair in pairs), default=math.inf)


_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)


def table(ratios: Iterable[float], period: float, shares: tuple[float, float], lag: float) -> tuple[str, ...]:
    """The detection table as lines: for each objective, how long each size of fault goes unnoticed.

    An objective that this clock is too slow for says so in its row; as a promise it would be refused.

    Args:
        ratios: Objectives, 0.9 to 0.9999.
        period: Seconds that a budget has to last.
        shares: Of the budget, for the page and for the ticket.
        lag: As `lag` says for the clock.
    """
    head = "".join(f"{f'{share:.0%} bad':>10}" for share in _SHARES)
    lines = [f"{'objective':10}{'':8}{head}   windows: share of bad requests above"]
    for ratio in sorted(set(ratios), reverse=True):
        allowed = round(1 - ratio, 9)
        try:
            fast = fast_pairs(allowed, period, shares[0], lag)
        except ValueError:
            fast = ()
        for name, pairs, late in (
            ("page", fast, lag + FAST_FOR),
            ("ticket", slow_pairs(period, shares[1]), lag + 2 * SLOW_STEP + SLOW_FOR),
        ):
            cells = "".join(f"{_span(seconds_to_notice(pairs, allowed, bad) + late):>10}" for bad in _SHARES)
            windows = ", ".join(f"{_span(pair.long)}: {pair.threshold(allowed):.3%}" for pair in pairs)
            why = windows or "this clock is too slow"
            lines.append(f"{f'{ratio:.4%}'.rstrip('0%').rstrip('.') + ' %':10}{name:8}{cells}   {why}")
    return tuple(lines)


def _span(seconds: float) -> str:
    """For people: `1.7 min`, `3.4 h`, `-` for never."""
    if math.isinf(seconds):
        return "-"
    for unit, size in (("d", DAY), ("h", 3600)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / MINUTE:.2g} min" if seconds < 600 else f"{seconds / MINUTE:.0f} min"
