"""How many banks of device memory still have how many spare rows."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu

_LEVELS = ("max", "high", "partial", "low", "none")


@dataclass(frozen=True, slots=True)
class RowHistogram:
    """Banks by what is left of their spare rows: max, high, partial, low, none."""

    banks: dict[str, int] = field(default_factory=dict)


def read(gpu: Gpu) -> RowHistogram:
    """By nvmlDeviceGetRowRemapperHistogram; `nvidia-smi -q -d ROW_REMAPPER`."""
    found = gpu.ask("nvmlDeviceGetRowRemapperHistogram")
    return RowHistogram() if found is None else RowHistogram({level: getattr(found, level) for level in _LEVELS})
