"""What GPUs are and do, for boards: signals that no alert waits for, in a group of their own beside the roots'."""

from alerts import signals
from alerts.engines import of_gpus
from alerts.engines.adapter import record
from alerts.objectives import Objectives
from alerts.rule import Group, Recording
from alerts.rules.gpu import FALLEN, LOST, recent
from alerts.timing import Timing

SIGNALS = (
    signals.GPU_INFO,
    signals.GPU_UTILIZATION,
    signals.GPU_MEMORY_USED,
    signals.GPU_MEMORY_TOTAL,
    signals.GPU_TEMPERATURE,
    signals.GPU_POWER,
    signals.GPU_PROGRAM_MEMORY,
)


def group(timing: Timing, objectives: Objectives) -> Group:
    """No alerts; `gpu:state` is one evaluation behind the signals that it is made of."""
    return Group("gpu_use", (*of_gpus(timing, SIGNALS), _state(timing)), ())


def _state(timing: Timing) -> Recording:
    """Four signals as one, so that a board need not put thousands of series together at each of its steps."""
    by = ", ".join(signals.GPU_STATE.labels)
    fallen = f"max by ({by}) ({recent(signals.GPU_XID_AGE.where(xid=str(FALLEN)), timing)})"
    expr = (
        f"0 * {fallen}\nor 0 * max by ({by}) ({signals.GPU_LAST_ERROR} == {LOST})\n"
        f"or 1 + 2 * min by ({by}) ({signals.GPU_UP})\nor 2 + 0 * max by ({by}) ({signals.GPU_SEEN_AT})"
    )
    return record(signals.GPU_STATE, expr)
