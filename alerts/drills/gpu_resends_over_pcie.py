"""The PCIe link of one GPU keeps sending packets again."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, pcie_replays_per_second=5)


def _mend(stack: Stack) -> None:
    set_gpu(stack, pcie_replays_per_second=None)


DRILL = Drill(
    name="gpu_resends_over_pcie",
    story=f"The PCIe link of GPU {GPU} sends five packets a second again.",
    alert="GpuPcieReplays",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("PCIe link resends packets", f"GPU {GPU}"),
)
