"""BAR1: the window through which the host and other devices reach device memory."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu


@dataclass(frozen=True, slots=True)
class Bar1:
    """The window's size and use."""

    total_bytes: int | None = None
    used_bytes: int | None = None


def read(gpu: Gpu) -> Bar1:
    """By nvmlDeviceGetBAR1MemoryInfo; `nvidia-smi -q -d MEMORY`."""
    found = gpu.ask("nvmlDeviceGetBAR1MemoryInfo")
    return Bar1() if found is None else Bar1(found.bar1Total, found.bar1Used)
