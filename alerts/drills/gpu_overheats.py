"""One GPU gets hotter than its slowdown temperature, in the simulated NVML driver."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack

CELSIUS = 95
"""Above the slowdown temperature of every simulated profile."""


def _inject(stack: Stack) -> None:
    set_gpu(stack, temperature_celsius=CELSIUS)


def _mend(stack: Stack) -> None:
    set_gpu(stack, temperature_celsius=None)


DRILL = Drill(
    name="gpu_overheats",
    story=f"GPU {GPU} reads {CELSIUS} °C through the simulated NVML driver.",
    alert="GpuOverheating",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU overheating", f"GPU {GPU}"),
)
