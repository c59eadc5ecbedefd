"""The driver asks for a restart of the host because of one GPU, and says nothing else."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, recovery_action=2)


def _mend(stack: Stack) -> None:
    set_gpu(stack, recovery_action=None)


DRILL = Drill(
    name="gpu_asks_for_recovery",
    story=f"The driver asks to restart the host of GPU {GPU}, beside no error that would explain it.",
    alert="GpuRecoveryNeeded",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("GPU asks to be recovered", f"GPU {GPU}"),
)
