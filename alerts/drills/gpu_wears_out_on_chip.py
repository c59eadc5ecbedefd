"""One GPU's on-chip memory had more errors than NVIDIA accepts."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, sram_worn=True)


def _mend(stack: Stack) -> None:
    set_gpu(stack, sram_worn=None)


DRILL = Drill(
    name="gpu_wears_out_on_chip",
    story=f"On-chip memory of GPU {GPU} had more uncorrected errors over its life than NVIDIA accepts.",
    alert="GpuSramErrorsHigh",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU's on-chip memory wears out", f"GPU {GPU}"),
)
