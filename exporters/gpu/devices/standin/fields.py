"""What a simulated GPU answers to field values: many numbers in one call, each with a code of its own."""

import functools
from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import ALL_LINKS, Code, Field
from exporters.gpu.devices.standin.health import uncorrected
from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import Machine

_UNSIGNED_INT, _UNSIGNED_LONG_LONG, _SIGNED_INT = 1, 3, 5  # value types, as in nvml.h
_MEMBERS = {_UNSIGNED_INT: "uiVal", _UNSIGNED_LONG_LONG: "ullVal", _SIGNED_INT: "siVal"}
_OF_LINKS = frozenset(int(field) for field in Field if field.name.startswith("NVLINK_"))
_KIB = 1024
_MICROSECONDS = 1_000_000

Answer = tuple[int, float]
"""Value type and value."""


def _field_values(machine: Machine, gpu: Observation, count: Any, out: Any) -> int:
    profile = machine.profile
    for entry in out._obj:
        field, scope = entry.fieldId, entry.scopeId
        answer = _answer(field, profile.unsupported_fields)
        if answer is None:
            entry.nvmlReturn = Code.NOT_SUPPORTED
        elif field in _OF_LINKS and scope >= profile.nvlinks and scope != ALL_LINKS:
            entry.nvmlReturn = Code.INVALID_ARGUMENT
        else:
            entry.nvmlReturn = Code.SUCCESS
            kind, value = answer(machine, gpu, scope)
            entry.valueType = kind
            setattr(entry.value, _MEMBERS[kind], round(value))
    return Code.SUCCESS


@functools.cache  # hundreds of fields a collection; a driver in C takes no time for this
def _answer(field: int, unsupported: frozenset[str]) -> Callable[[Machine, Observation, int], Answer] | None:
    """What answers for this field; None where there is none, or the card lacks it."""
    if field not in _ANSWERS:
        return None
    known = Field(field).name
    lacks = any(known == name or (name.endswith("*") and known.startswith(name[:-1])) for name in unsupported)
    return None if lacks else _ANSWERS[field]


def _throttled(reason: str) -> Callable[[Machine, Observation, int], Answer]:
    return lambda machine, gpu, scope: (
        _UNSIGNED_LONG_LONG,
        gpu.counts.throttled_seconds.get(reason, 0.0) * _MICROSECONDS,
    )


def _constant(value: float, kind: int = _UNSIGNED_LONG_LONG) -> Callable[[Machine, Observation, int], Answer]:
    return lambda machine, gpu, scope: (kind, value)


_ANSWERS: dict[int, Callable[[Machine, Observation, int], Answer]] = {
    Field.ECC_CURRENT: _constant(1, _UNSIGNED_INT),
    Field.ECC_SBE_VOL_TOTAL: _constant(0),
    Field.ECC_DBE_VOL_TOTAL: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.ecc_uncorrected),
    Field.ECC_SBE_AGG_TOTAL: _constant(0),
    Field.ECC_DBE_AGG_TOTAL: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, uncorrected(gpu, lifetime=True)),
    Field.RETIRED_SBE: _constant(0),
    Field.RETIRED_DBE: _constant(0),
    Field.RETIRED_PENDING: _constant(0, _UNSIGNED_INT),
    Field.PERF_POLICY_POWER: _throttled("sw_power_cap"),
    Field.PERF_POLICY_SYNC_BOOST: _throttled("sync_boost"),
    Field.PERF_POLICY_BOARD_LIMIT: _constant(0),
    Field.PERF_POLICY_RELIABILITY: _constant(0),
    Field.CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN: _throttled("sw_thermal"),
    Field.CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN: _throttled("hw_thermal"),
    Field.CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN: _throttled("hw_power_brake"),
    Field.MEMORY_TEMP: lambda machine, gpu, scope: (_UNSIGNED_INT, gpu.memory_temperature_celsius),
    Field.POWER_INSTANT: lambda machine, gpu, scope: (_UNSIGNED_INT, 1000 * gpu.power_watts),
    Field.POWER_AVERAGE: lambda machine, gpu, scope: (_UNSIGNED_INT, 1000 * gpu.power_watts),
    Field.POWER_DEFAULT_LIMIT: lambda machine, gpu, scope: (_UNSIGNED_INT, 1000 * machine.profile.power_limit_watts),
    Field.POWER_MAX_LIMIT: lambda machine, gpu, scope: (_UNSIGNED_INT, 1000 * machine.profile.power_limit_watts),
    Field.POWER_MIN_LIMIT: lambda machine, gpu, scope: (_UNSIGNED_INT, 1000 * machine.profile.least_power_limit_watts),
    Field.TOTAL_ENERGY_CONSUMPTION: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, 1000 * gpu.energy_joules),
    Field.TEMPERATURE_SLOWDOWN_TLIMIT: lambda machine, gpu, scope: (
        _SIGNED_INT,
        machine.profile.slowdown_offset_celsius,
    ),
    Field.TEMPERATURE_SHUTDOWN_TLIMIT: lambda machine, gpu, scope: (
        _SIGNED_INT,
        machine.profile.shutdown_offset_celsius,
    ),
    Field.REMAPPED_COR: _constant(0, _UNSIGNED_INT),
    # A pending or failed remapping is one of a row with an error that could not be corrected.
    Field.REMAPPED_UNC: lambda machine, gpu, scope: (_UNSIGNED_INT, int(gpu.remap_pending or gpu.remap_failure)),
    Field.REMAPPED_PENDING: lambda machine, gpu, scope: (_UNSIGNED_INT, int(gpu.remap_pending)),
    Field.REMAPPED_FAILURE: lambda machine, gpu, scope: (_UNSIGNED_INT, int(gpu.remap_failure)),
    Field.GET_GPU_RECOVERY_ACTION: lambda machine, gpu, scope: (_UNSIGNED_INT, gpu.recovery_action),
    Field.PCIE_REPLAY_COUNTER: lambda machine, gpu, scope: (_UNSIGNED_INT, gpu.counts.pcie_replays),
    Field.PCIE_L0_TO_RECOVERY_COUNTER: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_CORRECTABLE_ERRORS: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_RECEIVER_ERROR: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_BAD_TLP: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_BAD_DLLP: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_NON_FATAL_ERROR: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_FATAL_ERROR: _constant(0, _UNSIGNED_INT),
    Field.PCIE_COUNT_TX_BYTES: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.pcie_bytes),
    Field.PCIE_COUNT_RX_BYTES: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.pcie_bytes),
    Field.NVLINK_GET_STATE: lambda machine, gpu, scope: (_UNSIGNED_INT, int(scope not in gpu.nvlink_down)),
    Field.NVLINK_ERROR_DL_REPLAY: lambda machine, gpu, scope: (
        _UNSIGNED_LONG_LONG,
        0 if scope else gpu.counts.nvlink_errors,
    ),
    # A link that went down tried to recover before.
    Field.NVLINK_ERROR_DL_RECOVERY: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, int(scope in gpu.nvlink_down)),
    Field.NVLINK_ERROR_DL_CRC: _constant(0),
    Field.NVLINK_THROUGHPUT_DATA_TX: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.nvlink_bytes / _KIB),
    Field.NVLINK_THROUGHPUT_DATA_RX: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.nvlink_bytes / _KIB),
    Field.NVLINK_COUNT_XMIT_BYTES: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.nvlink_bytes),
    Field.NVLINK_COUNT_RCV_BYTES: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.nvlink_bytes),
    Field.NVLINK_COUNT_RCV_ERRORS: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, gpu.counts.nvlink_errors),
    Field.NVLINK_COUNT_LINK_RECOVERY_EVENTS: lambda machine, gpu, scope: (_UNSIGNED_LONG_LONG, len(gpu.nvlink_down)),
    Field.NVLINK_COUNT_EFFECTIVE_ERRORS: _constant(0),
}


CALLS: dict[str, Callable[..., int]] = {"nvmlDeviceGetFieldValues": _field_values}
