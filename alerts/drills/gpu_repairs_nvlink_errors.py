"""An NVLink of one GPU keeps repairing errors."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, nvlink_errors_per_second=2)


def _mend(stack: Stack) -> None:
    set_gpu(stack, nvlink_errors_per_second=None)


DRILL = Drill(
    name="gpu_repairs_nvlink_errors",
    story=f"An NVLink of GPU {GPU} repairs two errors a second.",
    alert="GpuNvlinkErrors",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("NVLink errors", f"GPU {GPU}"),
)
