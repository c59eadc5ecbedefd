"""The simulated GPU that drills break."""

from alerts.drills.calls import call
from alerts.drills.stack import Stack

GPU = 1
"""Not 0, so that a message that names a default instead of the sick GPU is caught."""


def set_gpu(stack: Stack, **fields: object) -> None:
    """Set fields of the GPU through the simulator's control API (exporters/gpu/README.md); None gives one back.

    Raises:
        httpx.HTTPError: If the exporter does not answer, or its GPUs are real.
    """
    call("PATCH", f"{stack.url('gpu-exporter')}/simulator/gpus/{GPU}", fields)
