"""One GPU reports an error of a program."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, xid=31)


def _mend(stack: Stack) -> None:
    """An XID is an event: there is nothing to give back, and the alert forgets it by itself."""


DRILL = Drill(
    name="gpu_reports_program_xid",
    story=f"GPU {GPU} reports XID 31: a program touched memory that is not its own.",
    alert="GpuXidApplication",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("Program failed on a GPU with XID 31", f"GPU {GPU}"),
)
