"""Activity (GPM) of a simulated GPU: a sample holds its counters, two samples make a mean.

Samples live in memory that the caller asked for and frees, as with the real library.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.counters import activity
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine

_PARTS = {1: "graphics", 2: "sm", 3: "sm_occupancy", 5: "tensor", 10: "dram"}
"""Metric id, as in nvml.h, and the simulation's name."""
_PCIE = (20, 21)
_MIB = 2**20


class _Sample(ctypes.Structure):
    _fields_ = (
        ("seconds", ctypes.c_double),
        ("pcie_bytes", ctypes.c_double),
        ("busy_seconds", ctypes.c_double * len(_PARTS)),
        ("now", ctypes.c_double * len(_PARTS)),
    )


class Samples:
    """The samples that callers hold."""

    def __init__(self) -> None:
        self._held: dict[int, _Sample] = {}

    def allocate(self, machine: Machine, out: Any) -> int:
        """As nvmlGpmSampleAlloc."""
        sample = _Sample()
        self._held[ctypes.addressof(sample)] = sample
        ctypes.c_void_p.from_buffer(out._obj).value = ctypes.addressof(sample)
        return Code.SUCCESS

    def free(self, machine: Machine, sample: Any) -> int:
        """As nvmlGpmSampleFree."""
        return Code.SUCCESS if self._held.pop(_address(sample), None) else Code.INVALID_ARGUMENT

    def compare(self, machine: Machine, out: Any) -> int:
        """As nvmlGpmMetricsGet."""
        request = out._obj
        earlier, later = (self._held.get(_address(one)) for one in (request.sample1, request.sample2))
        if earlier is None or later is None:
            return Code.INVALID_ARGUMENT
        for metric in request.metrics[: request.numMetrics]:
            _fill(metric, earlier, later)
        return Code.SUCCESS


def _support(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.isSupportedDevice = int(machine.profile.activity)
    return Code.SUCCESS


def _take(machine: Machine, gpu: Observation, sample: Any) -> int:
    taken, now = ctypes.cast(sample, ctypes.POINTER(_Sample)).contents, activity(gpu.utilization_ratio)
    taken.seconds, taken.pcie_bytes = gpu.counts.seconds, gpu.counts.pcie_bytes
    for place, part in enumerate(_PARTS.values()):
        taken.busy_seconds[place] = gpu.counts.busy_seconds.get(part, 0.0)
        taken.now[place] = now[part]
    return Code.SUCCESS


def _take_of_instance(machine: Machine, gpu: Observation, instance: Any, sample: Any) -> int:
    return _take(machine, gpu, sample)


def _fill(metric: Any, earlier: _Sample, later: _Sample) -> None:
    metric.nvmlReturn = Code.SUCCESS
    seconds = later.seconds - earlier.seconds
    if metric.metricId in _PARTS:
        place = list(_PARTS).index(metric.metricId)
        busy = later.busy_seconds[place] - earlier.busy_seconds[place]
        # Between two steps of the simulation no time has passed: what it does now.
        metric.value = 100 * (busy / seconds if seconds > 0 else later.now[place])
    elif metric.metricId in _PCIE and seconds > 0:
        metric.value = (later.pcie_bytes - earlier.pcie_bytes) / seconds / _MIB
    else:
        metric.nvmlReturn = Code.NOT_SUPPORTED if metric.metricId not in _PCIE else Code.NO_DATA


def _address(sample: Any) -> int:
    return ctypes.cast(sample, ctypes.c_void_p).value or 0


CALLS: dict[str, Callable[..., int]] = {
    "nvmlGpmQueryDeviceSupport": _support,
    "nvmlGpmSampleGet": _take,
    "nvmlGpmMigSampleGet": _take_of_instance,
}
