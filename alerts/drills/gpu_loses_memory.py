"""One GPU counts an error of its memory that ECC could not correct."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, ecc_uncorrected=1)


def _mend(stack: Stack) -> None:
    set_gpu(stack, ecc_uncorrected=None)


DRILL = Drill(
    name="gpu_loses_memory",
    story=f"GPU {GPU} counts a memory error that ECC could not correct.",
    alert="GpuEccUncorrectable",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU memory error", f"GPU {GPU}"),
)
