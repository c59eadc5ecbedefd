"""Fans that the driver controls; boards cooled by the chassis have none."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu


@dataclass(frozen=True, slots=True)
class Fans:
    """Fans by number."""

    speed_ratio: dict[int, float] = field(default_factory=dict)
    """Speed that the driver wants, of the greatest; can exceed 1."""


def read(gpu: Gpu) -> Fans:
    """By nvmlDeviceGetFanSpeed_v2; `nvidia-smi --query-gpu=fan.speed`."""
    percents = {
        fan: gpu.ask("nvmlDeviceGetFanSpeed_v2", fan) for fan in range(gpu.ask_once("nvmlDeviceGetNumFans") or 0)
    }
    return Fans({fan: percent / 100 for fan, percent in percents.items() if percent is not None})
