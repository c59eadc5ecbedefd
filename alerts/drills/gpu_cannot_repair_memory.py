"""One GPU has a broken row of memory and no spare one for it."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, remap_failure=True)


def _mend(stack: Stack) -> None:
    set_gpu(stack, remap_failure=None)


DRILL = Drill(
    name="gpu_cannot_repair_memory",
    story=f"GPU {GPU} could not replace a row of its memory.",
    alert="GpuRowRemapFailed",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU memory cannot be repaired", f"GPU {GPU}"),
)
