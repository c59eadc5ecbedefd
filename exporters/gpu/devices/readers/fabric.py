"""NVLink fabric: whether the fabric manager has taken this GPU in, and in what health."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu, first

_STATES = {1: "not_started", 2: "in_progress", 3: "completed"}
_FLAGS = {"degraded_bandwidth": 0, "route_recovery": 2, "route_unhealthy": 4, "access_timeout_recovery": 6}
"""Complaints by name, with the bit at which each one's two bits begin: 0 unknown, 1 true, 2 false."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """State in the fabric; empty on cards without one."""

    state: str | None = None
    """not_started, in_progress or completed."""
    error_code: int | None = None
    """NVML code with which taking the GPU in ended, 0 for success; only once completed."""
    complaints: dict[str, bool] = field(default_factory=dict)
    """What the driver can say is wrong with the fabric, and whether it is."""


def read(gpu: Gpu) -> Fabric:
    """By nvmlDeviceGetGpuFabricInfoV, versions 3 and 2; `nvidia-smi -q`, section Fabric."""
    found = first(
        lambda: gpu.fill_seldom("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v3_t"),
        lambda: gpu.fill_seldom("nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v2_t"),
    )
    state = None if found is None else _STATES.get(found.state)
    if found is None or state is None:
        return Fabric()
    pairs = {name: found.healthMask >> shift & 0b11 for name, shift in _FLAGS.items()}
    return Fabric(
        state=state,
        error_code=found.status if state == "completed" else None,
        complaints={name: pair == 1 for name, pair in pairs.items() if pair},
    )
