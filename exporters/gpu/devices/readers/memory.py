"""Device memory, as the driver accounts for it."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu


@dataclass(frozen=True, slots=True)
class Memory:
    """Device memory."""

    total_bytes: int | None = None
    used_bytes: int | None = None
    """Without what the driver reserves, except on drivers that cannot tell the two apart."""
    free_bytes: int | None = None
    reserved_bytes: int | None = None


def read(gpu: Gpu) -> Memory:
    """By nvmlDeviceGetMemoryInfo, version 2 where the driver has it; `nvidia-smi --query-gpu=memory.used`."""
    told_apart = gpu.ask("nvmlDeviceGetMemoryInfo", gpu.library.constant("nvmlMemory_v2"))
    if told_apart is not None:
        return Memory(told_apart.total, told_apart.used, told_apart.free, told_apart.reserved)
    lumped = gpu.ask("nvmlDeviceGetMemoryInfo")
    return Memory() if lumped is None else Memory(lumped.total, lumped.used, lumped.free)
