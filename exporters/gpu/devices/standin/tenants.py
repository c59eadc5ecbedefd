"""Who uses a simulated GPU: processes, and the MIG instances that it is split into."""

import ctypes
import uuid
from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine

FIRST_MIG_HANDLE = 0x100000
MOST_INSTANCES = 8
_SLICES = 8  # of memory, in a whole GPU
_MIG_NAMES = uuid.UUID("2a0d8c53-8f0e-4f3a-9f55-6f3e5d1c4b60")
_NO_INSTANCE = 0xFFFFFFFF


def _compute_processes(machine: Machine, gpu: Observation, count: Any, out: Any) -> int:
    if not gpu.processes:
        count._obj.value = 0
        return Code.SUCCESS
    if out is None:
        count._obj.value = len(gpu.processes)
        return Code.INSUFFICIENT_SIZE
    for entry, (pid, _, held) in zip(out, gpu.processes, strict=False):
        entry.pid, entry.usedGpuMemory = pid, held
        entry.gpuInstanceId = entry.computeInstanceId = _NO_INSTANCE
    count._obj.value = len(gpu.processes)
    return Code.SUCCESS


def _other_processes(machine: Machine, gpu: Observation, count: Any, out: Any) -> int:
    count._obj.value = 0
    return Code.SUCCESS


def process_name(machine: Machine, pid: Any, buffer: Any, size: Any) -> int:
    """As nvmlSystemGetProcessName."""
    for index in range(machine.gpu_count):
        for known, name, _ in machine.observe(index).processes:
            if known == pid.value:
                buffer.value = name.encode()
                return Code.SUCCESS
    return Code.NOT_FOUND


def _mig_mode(machine: Machine, gpu: Observation, current: Any, pending: Any) -> int:
    current._obj.value = pending._obj.value = int(bool(machine.profile.mig))
    return Code.SUCCESS


def _most_mig_devices(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = MOST_INSTANCES - 1
    return Code.SUCCESS


def _mig_handle(machine: Machine, gpu: Observation, place: Any, out: Any) -> int:
    if place.value >= len(machine.profile.mig):
        return Code.NOT_FOUND
    handle = FIRST_MIG_HANDLE + MOST_INSTANCES * gpu.index + place.value
    ctypes.c_void_p.from_buffer(out._obj).value = handle
    return Code.SUCCESS


def _mig_uuid(machine: Machine, gpu: Observation, place: int, buffer: Any, size: Any) -> int:
    buffer.value = f"MIG-{uuid.uuid5(_MIG_NAMES, f'{gpu.uuid}/{place}')}".encode()
    return Code.SUCCESS


def _mig_name(machine: Machine, gpu: Observation, place: int, buffer: Any, size: Any) -> int:
    buffer.value = f"{machine.profile.name} MIG {machine.profile.mig[place]}".encode()
    return Code.SUCCESS


def _gpu_instance(machine: Machine, gpu: Observation, place: int, out: Any) -> int:
    out._obj.value = place + 1
    return Code.SUCCESS


def _compute_instance(machine: Machine, gpu: Observation, place: int, out: Any) -> int:
    out._obj.value = 0
    return Code.SUCCESS


def _mig_memory(machine: Machine, gpu: Observation, place: int, out: Any) -> int:
    share = int(machine.profile.mig[place][0]) / _SLICES
    out._obj.total = int(machine.profile.memory_total_bytes * share)
    out._obj.reserved = 0
    out._obj.used = int(gpu.memory_used_bytes * share)
    out._obj.free = out._obj.total - out._obj.used
    return Code.SUCCESS


CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetComputeRunningProcesses_v2": _compute_processes,
    "nvmlDeviceGetComputeRunningProcesses_v3": _compute_processes,
    "nvmlDeviceGetGraphicsRunningProcesses_v3": _other_processes,
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": _other_processes,
    "nvmlDeviceGetMigMode": _mig_mode,
    "nvmlDeviceGetMaxMigDeviceCount": _most_mig_devices,
    "nvmlDeviceGetMigDeviceHandleByIndex": _mig_handle,
}
MIG_CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetUUID": _mig_uuid,
    "nvmlDeviceGetName": _mig_name,
    "nvmlDeviceGetGpuInstanceId": _gpu_instance,
    "nvmlDeviceGetComputeInstanceId": _compute_instance,
    "nvmlDeviceGetMemoryInfo_v2": _mig_memory,
}
"""Functions of one MIG instance, by its place in the profile."""
