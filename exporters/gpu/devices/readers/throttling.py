"""Why the clocks are held down, now and in total time."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu, first
from exporters.gpu.devices.codes import Field

REASONS = {
    "gpu_idle": 0x1,
    "applications_clocks": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "hw_power_brake": 0x80,
    "display_clocks": 0x100,
}
"""Clock event reasons by name, with NVML's bit. `hw_slowdown` is on with `hw_thermal` and with `hw_power_brake`."""

_TIMES = {
    "sw_power_cap": Field.PERF_POLICY_POWER,
    "sync_boost": Field.PERF_POLICY_SYNC_BOOST,
    "sw_thermal": Field.CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
    "hw_thermal": Field.CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
    "hw_power_brake": Field.CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
    "board_limit": Field.PERF_POLICY_BOARD_LIMIT,
    "reliability": Field.PERF_POLICY_RELIABILITY,
}
FIELDS = tuple((one, 0) for one in _TIMES.values())
_TIME_UNITS_PER_SECOND = 1_000_000
"""Microseconds: what nvidia-smi prints these fields as. DCGM calls its copies nanoseconds (README, Why it is so)."""


@dataclass(frozen=True, slots=True)
class Throttling:
    """Clock event reasons, by name (`REASONS`)."""

    active: dict[str, bool] = field(default_factory=dict)
    """Reasons that this card knows, and whether they hold the clocks down now."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time held down since the driver was loaded; `board_limit` and `reliability` have a time and no flag."""


def read(gpu: Gpu) -> Throttling:
    """By nvmlDeviceGetCurrentClocksEventReasons and field values; `nvidia-smi -q -d PERFORMANCE`."""
    bits = first(
        lambda: gpu.ask("nvmlDeviceGetCurrentClocksEventReasons"),
        lambda: gpu.ask("nvmlDeviceGetCurrentClocksThrottleReasons"),
    )
    known = first(
        lambda: gpu.ask_once("nvmlDeviceGetSupportedClocksEventReasons"),
        lambda: gpu.ask_once("nvmlDeviceGetSupportedClocksThrottleReasons"),
    )
    if known is None:
        known = sum(REASONS.values())
    active = {name: bool(bits & bit) for name, bit in REASONS.items() if known & bit} if bits is not None else {}
    times = {name: gpu.field(one) for name, one in _TIMES.items()}
    seconds = {name: time / _TIME_UNITS_PER_SECOND for name, time in times.items() if time is not None}
    return Throttling(active, seconds)
