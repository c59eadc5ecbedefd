"""PromQL that boards share: the worst few of many, so that no panel draws a fleet."""

from typing import Literal

from alerts.signals import Signal

LINES = 10
"""Series of one kind in a panel of lines."""
BARS = 12
"""Series in a panel of states."""
RECENT = "10m:1m"
"""How far back, and how often, series that have ended are looked for; each look is one sample of every series."""


WHOLE_RANGE = "$__range:5m"
"""The same for what ended at any time of the range: only for few series, or where a missed one costs nothing."""


def worst(  # noqa: PLR0913 - what is drawn, and how few are chosen
    rank: Literal["topk", "bottomk"],
    count: int,
    shown: str,
    by: str = "",
    *,
    back: str = RECENT,
    each: str = "",
    **signals: Signal,
) -> str:
    """An expression, of which only the highest or lowest few series are kept.

    Membership is decided once, by the values at the end of the time range (`@ end()`): a plain topk decides anew at
    each step, so a panel of ten lines could draw hundreds. A series that ended in the last ten minutes takes part
    with its worst value: what just died must not vanish.

    Args:
        rank: Which end is bad: topk keeps the highest, bottomk the lowest.
        count: How many series stay.
        shown: What is drawn: PromQL with each signal as `{keyword}`.
        by: What is compared, with the same labels; empty: what is drawn.
        back: How far back series that have ended still take part.
        each: The labels that what is drawn is put together by; then only the chosen series are, not those of a fleet.
        **signals: Fill the keywords.
    """
    extreme = "max_over_time" if rank == "topk" else "min_over_time"
    last = {name: f"{signal} @ end()" for name, signal in signals.items()}
    recent = {name: f"{extreme}({signal.over(back)} @ end())" for name, signal in signals.items()}
    compared = by or shown
    chosen = f"{rank}({count}, {compared.format(**last)} or {compared.format(**recent)})"
    if each:
        return shown.format(**{name: f"({signal}\nand on ({each}) {chosen})" for name, signal in signals.items()})
    return f"{shown.format(**signals)}\nand {chosen}"


AT_END = " @ end()"
"""Behind every selector of an expression for `worst_at_end`."""


def worst_at_end(rank: Literal["topk", "bottomk"], count: int, at_end: str) -> str:
    """As `worst`, for expressions that are no signals but rates of counters; what has ended takes no part.

    Args:
        rank: Which end is bad.
        count: How many series stay.
        at_end: What is drawn, as it is at the end of the range: with AT_END behind every selector.
    """
    return f"{at_end.replace(AT_END, '')}\nand {rank}({count}, {at_end})"
