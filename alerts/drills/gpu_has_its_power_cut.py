"""One GPU's power brake is pulled from outside."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, throttle=["hw_slowdown", "hw_power_brake"])


def _mend(stack: Stack) -> None:
    set_gpu(stack, throttle=None)


DRILL = Drill(
    name="gpu_has_its_power_cut",
    story=f"The power brake of GPU {GPU} is pulled.",
    alert="GpuPowerBrake",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU's power is cut from outside", f"GPU {GPU}"),
)
