"""What the GPU's parts did since the last reading (GPM): Hopper and newer, without the profiler's lock."""

import math
from dataclasses import dataclass
from typing import Any

from exporters.gpu.devices.asking import Gpu

_METRICS = {
    "graphics_ratio": 1,
    "sm_ratio": 2,
    "sm_occupancy_ratio": 3,
    "tensor_ratio": 5,
    "dram_ratio": 10,
    "pcie_transmitted_bytes_per_second": 20,
    "pcie_received_bytes_per_second": 21,
}
"""Fields of `Activity`, with NVML's metric id."""
_PERCENT = 0.01
_MIB = float(2**20)
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Activity:
    """Means from the last reading to this one; empty in the first reading and where not supported."""

    graphics_ratio: float | None = None
    """Time in which any compute or graphics work ran, 0 to 1."""
    sm_ratio: float | None = None
    """Multiprocessors that were busy."""
    sm_occupancy_ratio: float | None = None
    """Warps that were resident, of those that fit."""
    tensor_ratio: float | None = None
    """Time in which the tensor cores worked."""
    dram_ratio: float | None = None
    """Bandwidth of device memory that was used."""
    pcie_transmitted_bytes_per_second: float | None = None
    pcie_received_bytes_per_second: float | None = None


def read(gpu: Gpu) -> Activity:
    """By nvmlGpmSampleGet and nvmlGpmMetricsGet; `nvidia-smi dmon --gpm-metrics`. Two samples a GPU, swapped."""
    return sample(gpu, gpu.uuid, "nvmlGpmSampleGet", gpu.handle)


def sample(gpu: Gpu, whose: str, call: str, *arguments: object) -> Activity:
    """Activity since the last sample of the same `whose`: the GPU, or one of its MIG instances."""
    support = gpu.ask_once("nvmlGpmQueryDeviceSupport")
    key = f"{call} {whose}"
    if support is None or not support.isSupportedDevice or gpu.lacks(key):
        return Activity()
    pair = gpu.notes.samples.setdefault(whose, [])
    if len(pair) < 2:
        pair.append(gpu.call("nvmlGpmSampleAlloc"))
    else:
        pair.reverse()
    taken = gpu.call(call, *arguments, pair[-1], key=key) if pair[-1] is not None else None
    if taken is None:
        free(gpu, whose)
        return Activity()
    return _between(gpu, pair[0], pair[1]) if len(pair) == 2 else Activity()


def free(gpu: Gpu, whose: str) -> None:
    """Give the samples back: there will be no more of this GPU or instance."""
    for one in gpu.notes.samples.pop(whose, ()):
        if one is not None:
            gpu.call("nvmlGpmSampleFree", one)


def _between(gpu: Gpu, earlier: Any, later: Any) -> Activity:
    request = gpu.library.structure("c_nvmlGpmMetricsGet_t")
    request.version, request.numMetrics = _VERSION, len(_METRICS)
    request.sample1, request.sample2 = earlier, later
    for place, number in enumerate(_METRICS.values()):
        request.metrics[place].metricId = number
    if gpu.call("nvmlGpmMetricsGet", request) is None:
        return Activity()
    answers = zip(_METRICS, request.metrics, strict=False)
    return Activity(**{name: _value(name, answer) for name, answer in answers})


def _value(name: str, answer: Any) -> float | None:
    if answer.nvmlReturn != 0 or not math.isfinite(answer.value):
        return None
    return float(answer.value) * (_PERCENT if name.endswith("_ratio") else _MIB)
