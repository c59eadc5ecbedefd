"""A call to one GPU does not return."""

from alerts.drills.drill import PAGE, Drill
from alerts.drills.gpus import GPU, set_gpu, until_gpu_answers
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, state="hang")


def _mend(stack: Stack) -> None:
    set_gpu(stack, state=None)
    until_gpu_answers(stack)


DRILL = Drill(
    name="gpu_stops_answering",
    story=f"Every NVML call to GPU {GPU} hangs; the others answer.",
    alert="GpuMissing",
    channels=PAGE,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU missing", f"GPU {GPU}"),
)
