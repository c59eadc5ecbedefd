"""The one door to NVML: asks one GPU at a time and answers with a `GpuReading` in base units.

Knows nothing of metrics, of other GPUs or of time. Every NVML error ends here, as None (the value is absent)
or as a `DeviceError`. Calls that NVIDIA has replaced are asked only where the newer one does not exist.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pynvml

from exporters.gpu.devices.reading import (
    DeviceDenied,
    DeviceError,
    DeviceFailed,
    DeviceLost,
    DeviceNeedsReset,
    DriverError,
    DriverFailed,
    DriverMismatch,
    DriverMissing,
    GpuReading,
    Identity,
    Memory,
    Power,
    Thermals,
    Utilization,
)

T = TypeVar("T")

NOT_SUPPORTED = frozenset(
    {
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,  # the installed driver is older than the call
        pynvml.NVML_ERROR_VGPU_ECC_NOT_SUPPORTED,
        pynvml.NVML_ERROR_FREQ_NOT_SUPPORTED,
        pynvml.NVML_ERROR_RESET_TYPE_NOT_SUPPORTED,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,  # the driver knows only another layout of the structure
        pynvml.NVML_ERROR_DEPRECATED,
    }
)
"""The value does not exist on this card with this driver: not asked again until the driver is reopened."""

NOT_NOW = frozenset(
    {
        pynvml.NVML_ERROR_INVALID_ARGUMENT,  # an enumeration value that this driver does not know
        pynvml.NVML_ERROR_NOT_FOUND,
        pynvml.NVML_ERROR_INSUFFICIENT_SIZE,
        pynvml.NVML_ERROR_CORRUPTED_INFOROM,  # what the infoROM stores is lost; the sensors still answer
        pynvml.NVML_ERROR_IN_USE,
        pynvml.NVML_ERROR_NO_DATA,
        pynvml.NVML_ERROR_NOT_READY,
        pynvml.NVML_ERROR_INVALID_STATE,
    }
)
"""There is no value in this collection; asked again in the next."""

ERRORS: dict[int, type[DeviceError]] = {
    pynvml.NVML_ERROR_UNINITIALIZED: DriverFailed,
    pynvml.NVML_ERROR_ALREADY_INITIALIZED: DriverFailed,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: DriverMissing,
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: DriverMissing,
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: DriverMismatch,
    pynvml.NVML_ERROR_GPU_IS_LOST: DeviceLost,
    pynvml.NVML_ERROR_GPU_NOT_FOUND: DeviceLost,
    pynvml.NVML_ERROR_RESET_REQUIRED: DeviceNeedsReset,
    pynvml.NVML_ERROR_NO_PERMISSION: DeviceDenied,
    pynvml.NVML_ERROR_INSUFFICIENT_POWER: DeviceFailed,
    pynvml.NVML_ERROR_TIMEOUT: DeviceFailed,
    pynvml.NVML_ERROR_IRQ_ISSUE: DeviceFailed,
    pynvml.NVML_ERROR_OPERATING_SYSTEM: DeviceFailed,
    pynvml.NVML_ERROR_MEMORY: DeviceFailed,
    pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES: DeviceFailed,
    pynvml.NVML_ERROR_UNKNOWN: DeviceFailed,
}
"""Everything else. A code that a newer driver adds is a DeviceFailed."""

_TOLERATED = (DeviceDenied, DeviceFailed)
"""Errors that cost one value where another value of the same GPU still comes."""

_SENSOR_FIELDS = (
    pynvml.NVML_FI_DEV_MEMORY_TEMP,
    pynvml.NVML_FI_DEV_POWER_INSTANT,
    pynvml.NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT,
    pynvml.NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT,
)

_FIELD_MEMBERS = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: "usVal",
}


def library_loads() -> bool:
    """Whether this machine has NVIDIA's driver library, whatever state the driver is in."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def device_error(error: pynvml.NVMLError, asked: str) -> DeviceError:
    """The `DeviceError` that an NVML error means where a value is indispensable; `asked` opens its message."""
    kind = ERRORS.get(error.value, DeviceFailed)
    return kind(f"{asked}: {type(error).__name__} (code {error.value})")


class Nvml:
    """The driver, open or not. Not for several threads, and one open at a time: pynvml holds it in globals.

    Args:
        library: What stands in for the driver's library; None loads the real one.
    """

    def __init__(self, library: object | None = None) -> None:
        self._library = library
        self._open = False
        self._unsupported: set[tuple[str, str]] = set()
        self._versions = ("", "")
        self._thresholds: dict[tuple[str, int], float] = {}

    def open(self) -> None:
        """Start NVML if it is not started.

        Raises:
            DriverError: The driver is missing, mismatched or failing; a later call may succeed.
        """
        if self._open:
            return
        if self._library is not None:
            self._stand_in(self._library)
        self._unsupported.clear()
        self._thresholds.clear()
        self._driver("nvmlInit", pynvml.nvmlInit)
        self._open = True
        # The _v2 call asks libcuda, which containers with the `utility` capability alone do not have.
        cuda = self._driver("nvmlSystemGetCudaDriverVersion", pynvml.nvmlSystemGetCudaDriverVersion)
        version = self._driver("nvmlSystemGetDriverVersion", pynvml.nvmlSystemGetDriverVersion)
        self._versions = (version, f"{cuda // 1000}.{cuda % 1000 // 10}")

    def close(self) -> None:
        """Stop NVML; the next `open` starts it anew and asks unsupported calls again. Never raises."""
        if self._open:
            with suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()
        self._open = False
        if self._library is not None:
            self._stand_in(None)

    def gpu_count(self) -> int:
        """How many GPUs the driver lists now; a lost one may or may not be among them.

        Raises:
            DriverError: The driver does not answer.
        """
        return int(self._driver("nvmlDeviceGetCount", pynvml.nvmlDeviceGetCount))

    def read(self, index: int) -> GpuReading:
        """Everything that the GPU at this place in the driver's list says.

        Raises:
            DriverError: The driver as a whole does not answer.
            DeviceError: This GPU does not answer.
        """
        handle = _required(f"GPU {index}", pynvml.nvmlDeviceGetHandleByIndex, index)
        uuid = str(_required(f"GPU {index}", pynvml.nvmlDeviceGetUUID, handle))
        gpu = _Gpu(index, uuid, handle, self._unsupported)
        fields = gpu.fields(_SENSOR_FIELDS)
        reading = GpuReading(
            identity=self._identity(gpu),
            memory=_memory(gpu),
            utilization=_utilization(gpu),
            thermals=self._thermals(gpu, fields),
            power=_power(gpu, fields),
        )
        sensors = (reading.memory, reading.utilization, reading.thermals, reading.power)
        if gpu.failure is not None and sensors == (Memory(), Utilization(), Thermals(), Power()):
            raise gpu.failure
        return reading

    def _identity(self, gpu: "_Gpu") -> Identity:
        pci = gpu.ask(pynvml.nvmlDeviceGetPciInfo)
        return Identity(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.ask(pynvml.nvmlDeviceGetName) or "",
            pci_bus_id="" if pci is None else pci.busId,
            vbios_version=gpu.ask(pynvml.nvmlDeviceGetVbiosVersion) or "",
            driver_version=self._versions[0],
            cuda_version=self._versions[1],
        )

    def _thermals(self, gpu: "_Gpu", fields: dict[int, float | None]) -> Thermals:
        temperature = gpu.first(
            lambda: gpu.ask(pynvml.nvmlDeviceGetTemperatureV, pynvml.NVML_TEMPERATURE_GPU),
            lambda: gpu.ask(pynvml.nvmlDeviceGetTemperature, pynvml.NVML_TEMPERATURE_GPU),
        )
        distance = gpu.ask(pynvml.nvmlDeviceGetMarginTemperature)
        slowdown_offset = _signed(fields[pynvml.NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT])
        shutdown_offset = _signed(fields[pynvml.NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT])
        zero = None if temperature is None or distance is None else temperature + distance
        slowdown = self._threshold(gpu, pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, zero, slowdown_offset)
        return Thermals(
            gpu_celsius=temperature,
            memory_celsius=fields[pynvml.NVML_FI_DEV_MEMORY_TEMP],
            margin_celsius=_margin(distance, slowdown_offset, temperature, slowdown),
            slowdown_celsius=slowdown,
            shutdown_celsius=self._threshold(gpu, pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN, zero, shutdown_offset),
        )

    def _threshold(self, gpu: "_Gpu", kind: int, zero: float | None, offset: float | None) -> float | None:
        """A threshold in degrees: asked, else computed from the distance to the operating limit.

        Kept once computed: temperature and distance are read at two instants, and a threshold must not wobble.
        """
        asked = gpu.ask(pynvml.nvmlDeviceGetTemperatureThreshold, kind)
        if asked is not None:
            return float(asked)
        if zero is None or offset is None:
            return None
        return self._thresholds.setdefault((gpu.uuid, kind), zero - offset)

    @staticmethod
    def _driver(asked: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except pynvml.NVMLError as error:
            found = device_error(error, asked)
            raise found if isinstance(found, DriverError) else DriverFailed(str(found)) from error

    @staticmethod
    def _stand_in(library: object | None) -> None:
        # pynvml resolves functions from this global and keeps every pointer it has found.
        pynvml.nvmlLib = library
        pynvml._nvmlGetFunctionPointer_cache.clear()


class _Gpu:
    """One GPU during one reading: asks, remembers what is unsupported, keeps the last failure that was tolerated."""

    def __init__(self, index: int, uuid: str, handle: object, unsupported: set[tuple[str, str]]) -> None:
        self.index = index
        self.uuid = uuid
        self.failure: DeviceError | None = None
        self._handle = handle
        self._unsupported = unsupported

    def ask(self, call: Callable[..., Any], *arguments: object) -> Any | None:
        """What the call answers, or None where there is no value.

        Raises:
            DeviceError: The GPU or the driver is gone, so that asking on makes no sense.
        """
        key = (self.uuid, f"{call.__name__}{arguments}")
        if key in self._unsupported:
            return None
        try:
            return call(self._handle, *arguments)
        except pynvml.NVMLError as error:
            self._absent(error.value, key, error)
        except UnicodeDecodeError as error:
            self.failure = DeviceFailed(f"GPU {self.index} ({self.uuid}): {key[1]}: {error}")
        return None

    def fields(self, ids: tuple[int, ...]) -> dict[int, float | None]:
        """Field values by id, in NVML's units; None where there is no value. One call for all of them."""
        found: dict[int, float | None] = dict.fromkeys(ids)
        wanted = [one for one in ids if (self.uuid, f"field {one}") not in self._unsupported]
        for entry in self.ask(pynvml.nvmlDeviceGetFieldValues, tuple(wanted)) or () if wanted else ():
            if entry.nvmlReturn == pynvml.NVML_SUCCESS:
                member = _FIELD_MEMBERS.get(entry.valueType)
                found[entry.fieldId] = None if member is None else float(getattr(entry.value, member))
            else:
                error = pynvml.NVMLError(entry.nvmlReturn)
                self._absent(entry.nvmlReturn, (self.uuid, f"field {entry.fieldId}"), error)
        return found

    def first(self, *questions: Callable[[], T | None]) -> T | None:
        """The first answer that is not None; the questions after it are not asked."""
        return next((answer for question in questions if (answer := question()) is not None), None)

    def _absent(self, code: int, key: tuple[str, str], error: pynvml.NVMLError) -> None:
        if code in NOT_SUPPORTED:
            self._unsupported.add(key)
        elif code not in NOT_NOW:
            failure = device_error(error, f"GPU {self.index} ({self.uuid}): {key[1]}")
            if not isinstance(failure, _TOLERATED):
                raise failure from error
            self.failure = failure


def _required(who: str, call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        raise device_error(error, f"{who}: {call.__name__}") from error
    except UnicodeDecodeError as error:
        raise DeviceFailed(f"{who}: {call.__name__}: {error}") from error


def _memory(gpu: _Gpu) -> Memory:
    told_apart = gpu.ask(pynvml.nvmlDeviceGetMemoryInfo, pynvml.nvmlMemory_v2)
    if told_apart is not None:
        return Memory(told_apart.total, told_apart.used, told_apart.free, told_apart.reserved)
    lumped = gpu.ask(pynvml.nvmlDeviceGetMemoryInfo)
    return Memory() if lumped is None else Memory(lumped.total, lumped.used, lumped.free)


def _utilization(gpu: _Gpu) -> Utilization:
    percent = gpu.ask(pynvml.nvmlDeviceGetUtilizationRates)
    return Utilization() if percent is None else Utilization(percent.gpu / 100, percent.memory / 100)


def _power(gpu: _Gpu, fields: dict[int, float | None]) -> Power:
    draw = gpu.first(
        lambda: fields[pynvml.NVML_FI_DEV_POWER_INSTANT],
        lambda: gpu.ask(pynvml.nvmlDeviceGetPowerUsage),
    )
    return Power(
        draw_watts=_thousandths(draw),
        limit_watts=_thousandths(gpu.ask(pynvml.nvmlDeviceGetEnforcedPowerLimit)),
        energy_joules=_thousandths(gpu.ask(pynvml.nvmlDeviceGetTotalEnergyConsumption)),
    )


def _margin(
    distance: float | None, offset: float | None, temperature: float | None, slowdown: float | None
) -> float | None:
    """Degrees left before hardware slowdown, from what this card reports.

    Since Ada the driver gives the distance to the operating limit, and the slowdown threshold as an offset to it
    (-2, say): slowdown comes 2 degrees after the distance reaches 0.
    """
    if distance is not None:
        return distance - (offset or 0.0)
    if temperature is None or slowdown is None:
        return None
    return slowdown - temperature


def _signed(value: float | None) -> float | None:
    # The offsets are negative; a driver that types the field as unsigned wraps them around.
    return value - 2**32 if value is not None and value >= 2**31 else value


def _thousandths(value: float | None) -> float | None:
    return None if value is None else value / 1000
