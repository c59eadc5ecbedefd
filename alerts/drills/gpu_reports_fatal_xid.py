"""One GPU reports an error after which it computes nothing that can be trusted."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, xid=119)


def _mend(stack: Stack) -> None:
    """An XID is an event: there is nothing to give back, and the alert forgets it by itself."""


DRILL = Drill(
    name="gpu_reports_fatal_xid",
    story=f"GPU {GPU} reports XID 119: its system processor does not answer the driver.",
    alert="GpuXidFatal",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU failed with XID 119", f"GPU {GPU}"),
)
