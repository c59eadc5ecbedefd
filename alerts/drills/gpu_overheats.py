"""One GPU gets hotter than its slowdown temperature, in the simulated NVML driver."""

from alerts.drills.calls import call
from alerts.drills.drill import PAGE, Drill
from alerts.drills.stack import Stack

GPU = 1
"""Not 0, so that a message that names a default instead of the sick GPU is caught."""
CELSIUS = 95
"""Above the slowdown temperature of every simulated profile."""


def _inject(stack: Stack) -> None:
    _set(stack, CELSIUS)


def _mend(stack: Stack) -> None:
    _set(stack, None)


def _set(stack: Stack, celsius: float | None) -> None:
    url = f"{stack.url('gpu-exporter')}/simulator/gpus/{GPU}"
    call("PATCH", url, {"temperature_celsius": celsius})


DRILL = Drill(
    name="gpu_overheats",
    story=f"GPU {GPU} reads {CELSIUS} °C through the simulated NVML driver.",
    alert="GpuOverheating",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU overheating", f"GPU {GPU}"),
)
