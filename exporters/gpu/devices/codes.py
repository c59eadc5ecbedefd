"""NVML's numbers, as in nvml.h: return codes with their meaning for us, and field ids. A test compares with pynvml."""

from enum import IntEnum

from exporters.gpu.devices.errors import (
    DeviceDenied,
    DeviceError,
    DeviceFailed,
    DeviceLost,
    DeviceNeedsReset,
    DriverFailed,
    DriverMismatch,
    DriverMissing,
)


class Code(IntEnum):
    """Return codes."""

    SUCCESS = 0
    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    ALREADY_INITIALIZED = 5
    NOT_FOUND = 6
    INSUFFICIENT_SIZE = 7
    INSUFFICIENT_POWER = 8
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    IRQ_ISSUE = 11
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    CORRUPTED_INFOROM = 14
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    OPERATING_SYSTEM = 17
    LIB_RM_VERSION_MISMATCH = 18
    IN_USE = 19
    MEMORY = 20
    NO_DATA = 21
    VGPU_ECC_NOT_SUPPORTED = 22
    INSUFFICIENT_RESOURCES = 23
    FREQ_NOT_SUPPORTED = 24
    ARGUMENT_VERSION_MISMATCH = 25
    DEPRECATED = 26
    NOT_READY = 27
    GPU_NOT_FOUND = 28
    INVALID_STATE = 29
    RESET_TYPE_NOT_SUPPORTED = 30
    UNKNOWN = 999


NOT_SUPPORTED: frozenset[int] = frozenset(
    {
        Code.NOT_SUPPORTED,
        Code.FUNCTION_NOT_FOUND,  # the installed driver is older than the call
        Code.VGPU_ECC_NOT_SUPPORTED,
        Code.FREQ_NOT_SUPPORTED,
        Code.RESET_TYPE_NOT_SUPPORTED,
        Code.ARGUMENT_VERSION_MISMATCH,  # the driver knows only another layout of the structure
        Code.DEPRECATED,
    }
)
"""The value does not exist on this card with this driver: not asked again until the driver is reopened."""

NOT_NOW: frozenset[int] = frozenset(
    {
        Code.INVALID_ARGUMENT,  # an enumeration value that this driver does not know
        Code.NOT_FOUND,
        Code.INSUFFICIENT_SIZE,
        Code.CORRUPTED_INFOROM,  # what the infoROM stores is lost; the sensors still answer
        Code.IN_USE,
        Code.NO_DATA,
        Code.NOT_READY,
        Code.INVALID_STATE,
    }
)
"""There is no value in this collection; asked again in the next."""

ERRORS: dict[int, type[DeviceError]] = {
    Code.UNINITIALIZED: DriverFailed,
    Code.ALREADY_INITIALIZED: DriverFailed,
    Code.DRIVER_NOT_LOADED: DriverMissing,
    Code.LIBRARY_NOT_FOUND: DriverMissing,
    Code.LIB_RM_VERSION_MISMATCH: DriverMismatch,
    Code.GPU_IS_LOST: DeviceLost,
    Code.GPU_NOT_FOUND: DeviceLost,
    Code.RESET_REQUIRED: DeviceNeedsReset,
    Code.NO_PERMISSION: DeviceDenied,
    Code.INSUFFICIENT_POWER: DeviceFailed,
    Code.TIMEOUT: DeviceFailed,
    Code.IRQ_ISSUE: DeviceFailed,
    Code.OPERATING_SYSTEM: DeviceFailed,
    Code.MEMORY: DeviceFailed,
    Code.INSUFFICIENT_RESOURCES: DeviceFailed,
    Code.UNKNOWN: DeviceFailed,
}
"""Everything else. A code that a newer driver adds is a DeviceFailed."""


class Field(IntEnum):
    """Field ids of nvmlDeviceGetFieldValues."""

    ECC_CURRENT = 1
    ECC_SBE_VOL_TOTAL = 3
    ECC_DBE_VOL_TOTAL = 4
    ECC_SBE_AGG_TOTAL = 5
    ECC_DBE_AGG_TOTAL = 6
    RETIRED_SBE = 29
    RETIRED_DBE = 30
    RETIRED_PENDING = 31
    PERF_POLICY_POWER = 74
    PERF_POLICY_SYNC_BOOST = 76
    PERF_POLICY_BOARD_LIMIT = 77
    PERF_POLICY_RELIABILITY = 79
    MEMORY_TEMP = 82
    TOTAL_ENERGY_CONSUMPTION = 83
    PCIE_REPLAY_COUNTER = 94
    NVLINK_THROUGHPUT_DATA_TX = 138
    NVLINK_THROUGHPUT_DATA_RX = 139
    REMAPPED_COR = 142
    REMAPPED_UNC = 143
    REMAPPED_PENDING = 144
    REMAPPED_FAILURE = 145
    NVLINK_ERROR_DL_REPLAY = 161
    NVLINK_ERROR_DL_RECOVERY = 162
    NVLINK_ERROR_DL_CRC = 163
    NVLINK_GET_STATE = 165
    PCIE_L0_TO_RECOVERY_COUNTER = 169
    PCIE_COUNT_CORRECTABLE_ERRORS = 173
    PCIE_COUNT_RECEIVER_ERROR = 175
    PCIE_COUNT_BAD_TLP = 176
    PCIE_COUNT_BAD_DLLP = 178
    PCIE_COUNT_NON_FATAL_ERROR = 179
    PCIE_COUNT_FATAL_ERROR = 180
    POWER_AVERAGE = 185
    POWER_INSTANT = 186
    POWER_MIN_LIMIT = 187
    POWER_MAX_LIMIT = 188
    POWER_DEFAULT_LIMIT = 189
    TEMPERATURE_SHUTDOWN_TLIMIT = 193
    TEMPERATURE_SLOWDOWN_TLIMIT = 194
    PCIE_COUNT_TX_BYTES = 197
    PCIE_COUNT_RX_BYTES = 198
    NVLINK_COUNT_XMIT_BYTES = 202
    NVLINK_COUNT_RCV_BYTES = 204
    NVLINK_COUNT_RCV_ERRORS = 208
    NVLINK_COUNT_LINK_RECOVERY_EVENTS = 215
    NVLINK_COUNT_EFFECTIVE_ERRORS = 219
    GET_GPU_RECOVERY_ACTION = 230
    CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN = 269
    CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN = 270
    CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN = 271


ALL_LINKS = 0xFFFFFFFF
"""Scope of an NVLink field that sums over the links."""
