"""Memory of one GPU is in use, but no process holds it."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack

BYTES = 135 * 2**30
"""More than the service's own share of a simulated H200."""


def _inject(stack: Stack) -> None:
    set_gpu(stack, memory_used_bytes=BYTES)


def _mend(stack: Stack) -> None:
    set_gpu(stack, memory_used_bytes=None)


DRILL = Drill(
    name="gpu_memory_is_orphaned",
    story=f"Memory of GPU {GPU} stays in use beyond what its processes hold.",
    alert="GpuMemoryOrphaned",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU memory held by no process", f"GPU {GPU}"),
)
