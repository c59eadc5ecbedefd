"""One GPU is held back by the driver because of heat, short of its hardware slowdown."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, throttle=["sw_thermal"])


def _mend(stack: Stack) -> None:
    set_gpu(stack, throttle=None)


DRILL = Drill(
    name="gpu_is_throttled_by_heat",
    story=f"The driver holds down the clocks of GPU {GPU} because of heat.",
    alert="GpuThermalThrottle",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU throttled by heat", f"GPU {GPU}"),
)
