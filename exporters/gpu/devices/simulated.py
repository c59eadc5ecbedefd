"""A simulated machine shown as NVIDIA's library: what pynvml calls where there is no driver.

Stands below pynvml: it takes the C structures that pynvml passes and fills them in, so that the code that
reads a real card is the code that reads a simulated one. Holds no state of its own. A function that is not
here does not exist, as in a library that is older than the call.
"""

import ctypes
import functools
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from exporters.gpu.devices.simulated_events import SimulatedEvents
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine


class Code(IntEnum):
    """Return codes, as in nvml.h."""

    SUCCESS = 0
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    DRIVER_NOT_LOADED = 9
    GPU_IS_LOST = 15
    LIB_RM_VERSION_MISMATCH = 18


class Field(IntEnum):
    """Field ids, as in nvml.h."""

    MEMORY_TEMP = 82
    POWER_INSTANT = 186
    TEMPERATURE_SHUTDOWN_TLIMIT = 193
    TEMPERATURE_SLOWDOWN_TLIMIT = 194


_UNSIGNED_INT, _SIGNED_INT = 1, 5  # value types, as in nvml.h
_FIRST_HANDLE = 0x1000
_DRIVER_CODES = {"not_loaded": Code.DRIVER_NOT_LOADED, "mismatch": Code.LIB_RM_VERSION_MISMATCH}


class SimulatedLibrary:
    """What pynvml holds in place of the loaded libnvidia-ml.so.1.

    Args:
        machine: The GPUs to show; faults set on it appear in the very next call.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._events = SimulatedEvents(machine, _sickness, _FIRST_HANDLE)
        # pynvml sets `restype` on this one, which a bound method refuses.
        self.nvmlErrorString = functools.partial(_error_string)

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Resolve an NVML function, as the dynamic linker would. Raises AttributeError where there is none."""
        if name in _SYSTEM_CALLS:
            return functools.partial(self._call_system, _SYSTEM_CALLS[name])
        if name in _DEVICE_CALLS:
            return functools.partial(self._call_device, name)
        if name in self._events.calls:
            return functools.partial(self._call_events, name)
        raise AttributeError(name)

    def _call_system(self, call: Callable[..., int], *arguments: Any) -> int:
        return _DRIVER_CODES.get(self._machine.driver) or call(self._machine, *arguments)

    def _call_events(self, name: str, *arguments: Any) -> int:
        return _DRIVER_CODES.get(self._machine.driver) or self._events.calls[name](*arguments)

    def _call_device(self, name: str, handle: Any, *arguments: Any) -> int:
        index = (ctypes.cast(handle, ctypes.c_void_p).value or 0) - _FIRST_HANDLE
        sick = _DRIVER_CODES.get(self._machine.driver) or _sickness(self._machine, index)
        if sick:
            return sick
        if name in self._machine.profile.unsupported:
            return Code.NOT_SUPPORTED
        return _DEVICE_CALLS[name](self._machine, self._machine.observe(index), *arguments)


def _sickness(machine: Machine, index: int) -> int:
    """The code that every call of this GPU returns, SUCCESS for a healthy one; does not return while it hangs."""
    if not 0 <= index < machine.gpu_count:
        return Code.INVALID_ARGUMENT
    machine.wait_while_hanging(index)
    if machine.driver != "ok":
        return _DRIVER_CODES[machine.driver]
    return Code.GPU_IS_LOST if machine.observe(index).state == "lost" else Code.SUCCESS


def _error_string(code: int) -> bytes:
    return f"simulated driver: code {int(code)}".encode()


def _init(machine: Machine, flags: int = 0) -> int:
    return Code.SUCCESS


def _shutdown(machine: Machine) -> int:
    return Code.SUCCESS


def _driver_version(machine: Machine, buffer: Any, size: Any) -> int:
    buffer.value = machine.profile.driver_version.encode()
    return Code.SUCCESS


def _cuda_version(machine: Machine, out: Any) -> int:
    out._obj.value = machine.profile.cuda_version
    return Code.SUCCESS


def _count(machine: Machine, out: Any) -> int:
    out._obj.value = machine.gpu_count
    return Code.SUCCESS


def _handle_by_index(machine: Machine, index: Any, out: Any) -> int:
    # A card that fell off the bus already fails here on real machines.
    sick = _sickness(machine, index.value)
    if not sick:
        ctypes.c_void_p.from_buffer(out._obj).value = _FIRST_HANDLE + index.value
    return sick


def _name(machine: Machine, gpu: Observation, buffer: Any, size: Any) -> int:
    buffer.value = machine.profile.name.encode()
    return Code.SUCCESS


def _uuid(machine: Machine, gpu: Observation, buffer: Any, size: Any) -> int:
    buffer.value = gpu.uuid.encode()
    return Code.SUCCESS


def _vbios_version(machine: Machine, gpu: Observation, buffer: Any, size: Any) -> int:
    buffer.value = machine.profile.vbios_version.encode()
    return Code.SUCCESS


def _pci_info(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.bus = 0x18 + gpu.index
    out._obj.busId = f"00000000:{0x18 + gpu.index:02X}:00.0".encode()
    return Code.SUCCESS


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


def _utilization_rates(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.gpu = round(100 * gpu.utilization_ratio)
    out._obj.memory = round(100 * gpu.memory_utilization_ratio)
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


def _enforced_power_limit(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(1000 * machine.profile.power_limit_watts)
    return Code.SUCCESS


def _total_energy(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(1000 * gpu.energy_joules)
    return Code.SUCCESS


def _field_values(machine: Machine, gpu: Observation, count: Any, out: Any) -> int:
    for entry in out._obj:
        _fill_field(machine, gpu, entry)
    return Code.SUCCESS


def _fill_field(machine: Machine, gpu: Observation, entry: Any) -> None:
    entry.nvmlReturn, entry.valueType = Code.SUCCESS, _UNSIGNED_INT
    if entry.fieldId == Field.MEMORY_TEMP:
        entry.value.uiVal = round(gpu.memory_temperature_celsius)
    elif entry.fieldId == Field.POWER_INSTANT:
        entry.value.uiVal = round(1000 * gpu.power_watts)
    elif entry.fieldId == Field.TEMPERATURE_SLOWDOWN_TLIMIT:
        entry.valueType, entry.value.siVal = _SIGNED_INT, machine.profile.slowdown_offset_celsius
    elif entry.fieldId == Field.TEMPERATURE_SHUTDOWN_TLIMIT:
        entry.valueType, entry.value.siVal = _SIGNED_INT, machine.profile.shutdown_offset_celsius
    else:
        entry.nvmlReturn = Code.NOT_SUPPORTED


_SYSTEM_CALLS: dict[str, Callable[..., int]] = {
    "nvmlInitWithFlags": _init,
    "nvmlShutdown": _shutdown,
    "nvmlSystemGetDriverVersion": _driver_version,
    "nvmlSystemGetCudaDriverVersion": _cuda_version,
    "nvmlDeviceGetCount_v2": _count,
    "nvmlDeviceGetHandleByIndex_v2": _handle_by_index,
}
_DEVICE_CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetName": _name,
    "nvmlDeviceGetUUID": _uuid,
    "nvmlDeviceGetVbiosVersion": _vbios_version,
    "nvmlDeviceGetPciInfo_v3": _pci_info,
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetMemoryInfo_v2": _memory_v2,
    "nvmlDeviceGetUtilizationRates": _utilization_rates,
    "nvmlDeviceGetTemperatureV": _temperature_v,
    "nvmlDeviceGetTemperature": _temperature,
    "nvmlDeviceGetMarginTemperature": _margin_temperature,
    "nvmlDeviceGetTemperatureThreshold": _temperature_threshold,
    "nvmlDeviceGetPowerUsage": _power_usage,
    "nvmlDeviceGetEnforcedPowerLimit": _enforced_power_limit,
    "nvmlDeviceGetTotalEnergyConsumption": _total_energy,
    "nvmlDeviceGetFieldValues": _field_values,
}
