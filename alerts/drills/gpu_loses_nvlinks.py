"""Two NVLinks of one GPU go down."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, nvlink_down=[3, 4])


def _mend(stack: Stack) -> None:
    set_gpu(stack, nvlink_down=None)


DRILL = Drill(
    name="gpu_loses_nvlinks",
    story=f"NVLinks 3 and 4 of GPU {GPU} go down.",
    alert="GpuNvlinkDown",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("NVLink down", f"GPU {GPU}"),
)
