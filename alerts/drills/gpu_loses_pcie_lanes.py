"""One GPU uses half of its PCIe lanes."""

from alerts.drills.drill import TICKET, Drill
from alerts.drills.gpus import GPU, set_gpu
from alerts.drills.stack import Stack


def _inject(stack: Stack) -> None:
    set_gpu(stack, pcie_lanes=8)


def _mend(stack: Stack) -> None:
    set_gpu(stack, pcie_lanes=None)


DRILL = Drill(
    name="gpu_loses_pcie_lanes",
    story=f"GPU {GPU} uses 8 PCIe lanes of 16.",
    alert="GpuPcieDegraded",
    channels=TICKET,
    inject=_inject,
    mend=_mend,
    subject=lambda stack: ("PCIe link narrowed", f"GPU {GPU}"),
)
