"""One GPU is lost to the driver, which reports XID 79 first."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, xid=79, state="lost")


def _mend(stack: Stack) -> None:
    set_gpu(stack, state=None)


DRILL = Drill(
    name="gpu_falls_off_bus",
    story=f"GPU {GPU} reports XID 79, and from then on NVML says that it is lost.",
    alert="GpuFallenOffBus",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU fallen off the bus", f"GPU {GPU}"),
)
