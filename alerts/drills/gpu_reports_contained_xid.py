"""One GPU reports an error that the hardware contained."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, xid=94)


def _mend(stack: Stack) -> None:
    """An XID is an event: there is nothing to give back, and the alert forgets it by itself."""


DRILL = Drill(
    name="gpu_reports_contained_xid",
    story=f"GPU {GPU} reports XID 94: a memory error that cost one program alone.",
    alert="GpuXidContained",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU reported XID 94", f"GPU {GPU}"),
)
