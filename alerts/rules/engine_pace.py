"""Does each engine still make tokens as fast as it did? A ticket, judged by its own last hour.

A group of its own and slow: medians over an hour of values of every evaluation would be read at every evaluation.
"""

from alerts import signals
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Alert, Group
from alerts.rules.engine_load import BOARD, WHICH
from alerts.timing import Timing, duration

PACE_RATIO = 0.6
"""Of the usual pace. Prompts of another mix cost a quarter; a GPU that heat or power hold back, a half and more."""
SAME_LOAD_FACTOR = 1.25
"""Above so many times the usual batch, each request is slower by design and says nothing of the engine."""
USUAL_SECONDS = 3600
"""What is usual is the median of this long; a fault is more than half of it, and usual itself, after half an hour."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """Pace and batch of each engine once a minute, then the alert."""
    minute = timing.window(60)
    running = f"avg_over_time({signals.RUNNING.over(duration(minute))})"
    recordings = (
        record(signals.BATCH, f"{running} >= 1"),  # below one request, a rate over a minute is mostly chance
        record(signals.PACE, f"{signals.GENERATED_TOKENS} / {signals.BATCH}"),
    )
    return Group("engine_pace", recordings, (_drop(timing, objectives, minute),), interval=minute)


def _drop(timing: Timing, objectives: Objectives, minute: float) -> Alert:
    ratio = objectives.threshold("EngineThroughputDrop", PACE_RATIO)
    usual = timing.window(USUAL_SECONDS)
    median = f"quantile_over_time(0.5, {{}}[{duration(usual)}])"
    pace, batch = (median.format(signal) for signal in (signals.PACE, signals.BATCH))
    return Alert(
        name="EngineThroughputDrop",
        # The last line: a young engine knows nothing usual yet.
        expr=f"{signals.PACE} / {pace} < {ratio:g}\n"
        f"and {signals.BATCH} <= {SAME_LOAD_FACTOR:g} * {batch}\n"
        f"and {signals.PACE} offset {duration(usual / 2)}",
        severity="ticket",
        cls="symptom",
        component="engine",
        summary="Engine slower than usual: " + WHICH,
        impact="Answers of {{ $labels.service }} take longer; where users were promised better, SloFastBurn pages.",
        action="Look at this host's GPUs on the board: heat, power, clocks, or a process that does not belong there.",
        description="{{ $labels.engine }} at {{ $labels.instance }} makes far fewer tokens a second for each request "
        "than it did in the last hour, at no larger a batch.",
        value="{{ $value | humanizePercentage }} of the usual pace",
        threshold=f"at least {ratio:.0%}",
        board=BOARD,
        pending=180,
        keep_firing=120,
        delay=minute,
        window=2 * minute,
        hops=2,
    )
