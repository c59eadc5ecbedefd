"""MIG: whether the GPU is split, and into which instances."""

from dataclasses import dataclass
from typing import Any

from exporters.gpu.devices.asking import Gpu
from exporters.gpu.devices.readers import activity
from exporters.gpu.devices.readers.activity import Activity
from exporters.gpu.devices.readers.memory import Memory


@dataclass(frozen=True, slots=True)
class Instance:
    """One MIG device: a compute instance in a GPU instance."""

    uuid: str
    gpu_instance: int
    compute_instance: int
    profile: str
    """Such as `1g.18gb`; empty where the driver's name does not carry it."""
    memory: Memory
    activity: Activity
    """Of the whole GPU instance."""


@dataclass(frozen=True, slots=True)
class Mig:
    """The split of one GPU."""

    enabled: bool | None = None
    """None on cards that cannot be split."""
    instances: tuple[Instance, ...] = ()


def read(gpu: Gpu) -> Mig:
    """By nvmlDeviceGetMigMode, nvmlDeviceGetMigDeviceHandleByIndex; `nvidia-smi mig -lgi`."""
    mode = gpu.ask_seldom("nvmlDeviceGetMigMode")
    instances = _instances(gpu) if mode is not None and mode[0] else ()
    _forget_others(gpu, instances)
    # Splitting a GPU takes utilization and row remapping away; what was not supported before may be now.
    gpu.forget_if_changed("mig", (mode and mode[0], tuple(one.uuid for one in instances)))
    return Mig(None if mode is None else bool(mode[0]), instances)


def _instances(gpu: Gpu) -> tuple[Instance, ...]:
    most = gpu.ask_seldom("nvmlDeviceGetMaxMigDeviceCount") or 0
    handles = (gpu.call("nvmlDeviceGetMigDeviceHandleByIndex", gpu.handle, place) for place in range(most))
    found = (_instance(gpu, handle) for handle in handles if handle is not None)
    return tuple(one for one in found if one is not None)


def _forget_others(gpu: Gpu, instances: tuple[Instance, ...]) -> None:
    """Give back the samples of instances that were destroyed."""
    kept = {_owner(gpu, one.uuid) for one in instances}
    for owner in [one for one in gpu.notes.samples if one.startswith(_owner(gpu, ""))]:
        if owner not in kept:
            activity.free(gpu, owner)


def _owner(gpu: Gpu, uuid: str) -> str:
    return f"{gpu.uuid} {uuid}"


def _instance(gpu: Gpu, handle: Any) -> Instance | None:
    """None where it was destroyed while we looked."""
    uuid = gpu.call("nvmlDeviceGetUUID", handle)
    gpu_instance = gpu.call("nvmlDeviceGetGpuInstanceId", handle)
    compute_instance = gpu.call("nvmlDeviceGetComputeInstanceId", handle)
    if uuid is None or gpu_instance is None or compute_instance is None:
        return None
    memory = gpu.call("nvmlDeviceGetMemoryInfo", handle, gpu.library.constant("nvmlMemory_v2"))
    return Instance(
        uuid=str(uuid),
        gpu_instance=int(gpu_instance),
        compute_instance=int(compute_instance),
        profile=str(gpu.call("nvmlDeviceGetName", handle) or "").partition(" MIG ")[2],
        memory=Memory() if memory is None else Memory(memory.total, memory.used, memory.free, memory.reserved),
        activity=activity.sample(gpu, _owner(gpu, str(uuid)), "nvmlGpmMigSampleGet", gpu.handle, gpu_instance),
    )
