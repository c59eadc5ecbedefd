"""One GPU has a broken row of memory that the next reset replaces."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, remap_pending=True)


def _mend(stack: Stack) -> None:
    set_gpu(stack, remap_pending=None)


DRILL = Drill(
    name="gpu_waits_for_reset",
    story=f"A row of GPU {GPU}'s memory waits for a reset to be replaced.",
    alert="GpuMemoryRetirementPending",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU waits for a reset to repair memory", f"GPU {GPU}"),
)
