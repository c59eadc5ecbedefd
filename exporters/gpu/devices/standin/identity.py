"""What a simulated GPU is."""

from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine

_FIRST_BUS = 0x18


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
    out._obj.bus = _FIRST_BUS + gpu.index
    out._obj.busId = f"00000000:{_FIRST_BUS + gpu.index:02X}:00.0".encode()
    return Code.SUCCESS


def _minor_number(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = gpu.index
    return Code.SUCCESS


CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetName": _name,
    "nvmlDeviceGetUUID": _uuid,
    "nvmlDeviceGetVbiosVersion": _vbios_version,
    "nvmlDeviceGetPciInfo_v3": _pci_info,
    "nvmlDeviceGetMinorNumber": _minor_number,
}
