"""PromQL that boards share: the worst few of many, so that no panel draws a fleet."""

from typing import Literal

from alerts.signals import Signal

LINES = 10
"""Series of one kind in a panel of lines."""
BARS = 12
"""Series in a panel of states."""
RECENT = "10m:1m"
"""How far back, and how often, series that have ended are looked for; each look is one sample of every series."""


def worst(rank: Literal["topk", "bottomk"], count: int, shown: str, by: str = "", **signals: Signal) -> str:
    """An expression, of which only the highest or lowest few series are kept.

    Membership is decided once, by the values at the end of the time range (`@ end()`): a plain topk decides anew at
    each step, so a panel of ten lines could draw hundreds. A series that ended in the last ten minutes takes part
    with its worst value: what just died must not vanish.

    Args:
        rank: Which end is bad: topk keeps the highest, bottomk the lowest.
        count: How many series stay.
        shown: What is drawn: PromQL with each signal as `{keyword}`.
        by: What is compared, with the same labels; empty: what is drawn.
        **signals: Fill the keywords.
    """
    extreme = "max_over_time" if rank == "topk" else "min_over_time"
    drawn = {name: str(signal) for name, signal in signals.items()}
    last = {name: f"{signal} @ end()" for name, signal in signals.items()}
    recent = {name: f"{extreme}({signal.over(RECENT)} @ end())" for name, signal in signals.items()}
    compared = by or shown
    return f"{shown.format(**drawn)}\nand {rank}({count}, {compared.format(**last)} or {compared.format(**recent)})"
