"""Rows of device memory that were replaced by spare ones, and what the driver wants done about it all."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu
from exporters.gpu.devices.codes import Field

FIELDS = (
    (Field.REMAPPED_COR, 0),
    (Field.REMAPPED_UNC, 0),
    (Field.REMAPPED_PENDING, 0),
    (Field.REMAPPED_FAILURE, 0),
    (Field.GET_GPU_RECOVERY_ACTION, 0),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Remapped rows; absent before Ampere, and while MIG instances exist."""

    corrected: float | None = None
    """Rows remapped for errors that ECC corrected, over the card's life."""
    uncorrected: float | None = None
    pending: bool | None = None
    """A reset is needed before a remapping takes effect."""
    failed: bool | None = None
    """A row could not be remapped: the card is to be replaced."""
    recovery_action: int | None = None
    """What the driver wants: 0 nothing, 1 GPU reset, 2 node reboot, 3 drain peers, 4 drain and reset."""


def read(gpu: Gpu) -> Rows:
    """Field values, else nvmlDeviceGetRemappedRows; `nvidia-smi -q -d ROW_REMAPPER`."""
    action = gpu.field(Field.GET_GPU_RECOVERY_ACTION)
    corrected, uncorrected, pending, failed = _remapped(gpu)
    return Rows(
        corrected,
        uncorrected,
        None if pending is None else bool(pending),
        None if failed is None else bool(failed),
        None if action is None else int(action),
    )


def _remapped(gpu: Gpu) -> tuple[float | None, ...]:
    found = tuple(gpu.field(one) for one, _ in FIELDS[:4])
    if any(value is not None for value in found):
        return found
    return gpu.ask("nvmlDeviceGetRemappedRows") or (None, None, None, None)
