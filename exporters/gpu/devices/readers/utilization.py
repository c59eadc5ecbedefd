"""How busy the GPU and its memory are, as the driver samples it."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu


@dataclass(frozen=True, slots=True)
class Utilization:
    """Shares of the driver's last sample period (1/6 to 1 second), 0 to 1."""

    gpu_ratio: float | None = None
    """Time in which at least one kernel ran."""
    memory_ratio: float | None = None
    """Time in which device memory was read or written."""


def read(gpu: Gpu) -> Utilization:
    """By nvmlDeviceGetUtilizationRates; not supported on a GPU that is split by MIG."""
    percent = gpu.ask("nvmlDeviceGetUtilizationRates")
    return Utilization() if percent is None else Utilization(percent.gpu / 100, percent.memory / 100)
