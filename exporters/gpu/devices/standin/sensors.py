"""What a simulated GPU measures: memory, use, heat, power, clocks, engines, fans."""

from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.gpu import THROTTLE_REASONS, Observation
from exporters.gpu.simulator.machine import Machine

_ENGINE_PERIOD_MICROSECONDS = 167_000
_NO_DISPLAY_REASONS = 0xFF


def _memory(machine: Machine, gpu: Observation, out: Any) -> int:
    memory = out._obj
    memory.total = machine.profile.memory_total_bytes
    memory.used = gpu.memory_used_bytes + machine.profile.memory_reserved_bytes
    memory.free = machine.profile.memory_total_bytes - memory.used
    return Code.SUCCESS


def _memory_v2(machine: Machine, gpu: Observation, out: Any) -> int:
    memory = out._obj
    memory.total = machine.profile.memory_total_bytes
    memory.reserved = machine.profile.memory_reserved_bytes
    memory.used = gpu.memory_used_bytes
    memory.free = memory.total - memory.reserved - memory.used
    return Code.SUCCESS


def _bar1(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.bar1Total, out._obj.bar1Used = machine.profile.memory_total_bytes, 2**20 + gpu.memory_used_bytes // 2**10
    out._obj.bar1Free = out._obj.bar1Total - out._obj.bar1Used
    return Code.SUCCESS


def _utilization_rates(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.gpu = round(100 * gpu.utilization_ratio)
    out._obj.memory = round(100 * gpu.memory_utilization_ratio)
    return Code.SUCCESS


def _engine(machine: Machine, gpu: Observation, percent: Any, period: Any) -> int:
    percent._obj.value, period._obj.value = 0, _ENGINE_PERIOD_MICROSECONDS  # inference uses none of them
    return Code.SUCCESS


def _temperature_v(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.temperature = round(gpu.temperature_celsius)
    return Code.SUCCESS


def _temperature(machine: Machine, gpu: Observation, sensor: Any, out: Any) -> int:
    out._obj.value = round(gpu.temperature_celsius)
    return Code.SUCCESS


def _margin_temperature(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.marginTemperature = round(machine.profile.operating_limit_celsius) - round(gpu.temperature_celsius)
    return Code.SUCCESS


def _temperature_threshold(machine: Machine, gpu: Observation, kind: Any, out: Any) -> int:
    offsets = {0: machine.profile.shutdown_offset_celsius, 1: machine.profile.slowdown_offset_celsius}
    if kind.value not in offsets:
        return Code.INVALID_ARGUMENT
    out._obj.value = round(machine.profile.operating_limit_celsius - offsets[kind.value])
    return Code.SUCCESS


def _power_usage(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(1000 * gpu.power_watts)
    return Code.SUCCESS


def _power_limit(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(1000 * machine.profile.power_limit_watts)
    return Code.SUCCESS


def _power_limits(machine: Machine, gpu: Observation, least: Any, most: Any) -> int:
    least._obj.value = round(1000 * machine.profile.least_power_limit_watts)
    most._obj.value = round(1000 * machine.profile.power_limit_watts)
    return Code.SUCCESS


def _total_energy(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(1000 * gpu.energy_joules)
    return Code.SUCCESS


def _clock(machine: Machine, gpu: Observation, domain: Any, out: Any) -> int:
    return _of_domain(gpu.clock_megahertz, domain, out)


def _max_clock(machine: Machine, gpu: Observation, domain: Any, out: Any) -> int:
    return _of_domain(machine.profile.max_clock_megahertz, domain, out)


def _of_domain(clocks: tuple[int, ...], domain: Any, out: Any) -> int:
    if not 0 <= domain.value < len(clocks):
        return Code.INVALID_ARGUMENT
    out._obj.value = clocks[domain.value]
    return Code.SUCCESS


def _performance_state(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = 0 if gpu.utilization_ratio else machine.profile.idle_performance_state
    return Code.SUCCESS


def _persistence_mode(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = 1
    return Code.SUCCESS


def _event_reasons(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = sum(1 << bit for bit, reason in enumerate(THROTTLE_REASONS) if reason in gpu.throttle)
    return Code.SUCCESS


def _supported_reasons(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = _NO_DISPLAY_REASONS
    return Code.SUCCESS


def _fan_count(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = machine.profile.fans
    return Code.SUCCESS


def _fan_speed(machine: Machine, gpu: Observation, fan: Any, out: Any) -> int:
    out._obj.value = max(0, min(100, round(2 * (gpu.temperature_celsius - 35))))  # a guess: off to 35 C, full at 85 C
    return Code.SUCCESS


CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetMemoryInfo_v2": _memory_v2,
    "nvmlDeviceGetBAR1MemoryInfo": _bar1,
    "nvmlDeviceGetUtilizationRates": _utilization_rates,
    "nvmlDeviceGetEncoderUtilization": _engine,
    "nvmlDeviceGetDecoderUtilization": _engine,
    "nvmlDeviceGetJpgUtilization": _engine,
    "nvmlDeviceGetOfaUtilization": _engine,
    "nvmlDeviceGetTemperatureV": _temperature_v,
    "nvmlDeviceGetTemperature": _temperature,
    "nvmlDeviceGetMarginTemperature": _margin_temperature,
    "nvmlDeviceGetTemperatureThreshold": _temperature_threshold,
    "nvmlDeviceGetPowerUsage": _power_usage,
    "nvmlDeviceGetEnforcedPowerLimit": _power_limit,
    "nvmlDeviceGetPowerManagementDefaultLimit": _power_limit,
    "nvmlDeviceGetPowerManagementLimitConstraints": _power_limits,
    "nvmlDeviceGetTotalEnergyConsumption": _total_energy,
    "nvmlDeviceGetClockInfo": _clock,
    "nvmlDeviceGetMaxClockInfo": _max_clock,
    "nvmlDeviceGetPerformanceState": _performance_state,
    "nvmlDeviceGetPersistenceMode": _persistence_mode,
    "nvmlDeviceGetCurrentClocksEventReasons": _event_reasons,
    "nvmlDeviceGetCurrentClocksThrottleReasons": _event_reasons,
    "nvmlDeviceGetSupportedClocksEventReasons": _supported_reasons,
    "nvmlDeviceGetSupportedClocksThrottleReasons": _supported_reasons,
    "nvmlDeviceGetNumFans": _fan_count,
    "nvmlDeviceGetFanSpeed_v2": _fan_speed,
}
