"""What a simulated GPU says of its memory cells, its links and its place in the fabric."""

from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine

_CORRECTED = 0
_AGGREGATE = 1
_FABRIC_COMPLETED = 3
_FABRIC_HEALTHY = 0b10  # bandwidth not degraded; the other complaints unknown
_BANKS = 640  # a guess
SRAM_ERRORS = 10
"""Over the life of a card whose on-chip memory is worn: a guess, since NVIDIA names no threshold."""


def uncorrected(gpu: Observation, *, lifetime: bool) -> int:
    """Errors that ECC could not correct, device memory and on-chip together: over the card's life, or lately."""
    return gpu.ecc_uncorrected + (SRAM_ERRORS if lifetime and gpu.sram_worn else 0)


def _total_ecc_errors(machine: Machine, gpu: Observation, error: Any, counter: Any, out: Any) -> int:
    out._obj.value = 0 if error.value == _CORRECTED else uncorrected(gpu, lifetime=counter.value == _AGGREGATE)
    return Code.SUCCESS


def _sram_status(machine: Machine, gpu: Observation, out: Any) -> int:
    # All else is 0, as in the structure already: simulated errors since the driver was loaded are in device memory.
    if gpu.sram_worn:
        out._obj.aggregateUncSecDed = out._obj.aggregateUncBucketL2 = SRAM_ERRORS
        out._obj.bThresholdExceeded = 1
    return Code.SUCCESS


def _remapped_rows(machine: Machine, gpu: Observation, *outs: Any) -> int:
    for out, value in zip(
        outs, (0, gpu.remap_pending or gpu.remap_failure, gpu.remap_pending, gpu.remap_failure), strict=True
    ):
        out._obj.value = int(value)
    return Code.SUCCESS


def _row_histogram(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.max = _BANKS - gpu.remap_failure
    out._obj.none = int(gpu.remap_failure)
    return Code.SUCCESS


def _fabric_info(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.state, out._obj.healthMask = _FABRIC_COMPLETED, _FABRIC_HEALTHY
    return Code.SUCCESS


def _pcie_generation(machine: Machine, gpu: Observation, out: Any) -> int:
    profile = machine.profile
    out._obj.value = profile.pcie_generation if gpu.utilization_ratio else profile.idle_pcie_generation
    return Code.SUCCESS


def _max_pcie_generation(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = machine.profile.pcie_generation
    return Code.SUCCESS


def _pcie_width(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = gpu.pcie_lanes
    return Code.SUCCESS


def _max_pcie_width(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = machine.profile.pcie_lanes
    return Code.SUCCESS


def _pcie_replays(machine: Machine, gpu: Observation, out: Any) -> int:
    out._obj.value = round(gpu.counts.pcie_replays)
    return Code.SUCCESS


CALLS: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetTotalEccErrors": _total_ecc_errors,
    "nvmlDeviceGetSramEccErrorStatus": _sram_status,
    "nvmlDeviceGetRemappedRows": _remapped_rows,
    "nvmlDeviceGetRowRemapperHistogram": _row_histogram,
    "nvmlDeviceGetGpuFabricInfoV": _fabric_info,
    "nvmlDeviceGetCurrPcieLinkGeneration": _pcie_generation,
    "nvmlDeviceGetMaxPcieLinkGeneration": _max_pcie_generation,
    "nvmlDeviceGetCurrPcieLinkWidth": _pcie_width,
    "nvmlDeviceGetMaxPcieLinkWidth": _max_pcie_width,
    "nvmlDeviceGetPcieReplayCounter": _pcie_replays,
}
