"""What one GPU said in one collection, and how asking can fail. Knows neither NVML nor Prometheus.

Every number carries its unit in its name and is already in base units. None means that this card or this
driver does not report the value, never that it is zero.

Errors:

    DeviceError
    |-- DriverError          the whole node: no GPU can be read
    |   |-- DriverMissing    no driver library, or its kernel module is not loaded
    |   |-- DriverMismatch   library and kernel module are of different versions
    |   `-- DriverFailed     anything else that stops the driver from starting or answering
    |-- DeviceLost           this GPU no longer answers: it fell off the bus or was removed
    |-- DeviceNeedsReset     this GPU answers nothing until it is reset
    |-- DeviceDenied         we may not read this GPU
    `-- DeviceFailed         any other refusal of this GPU
"""

from dataclasses import dataclass


class DeviceError(Exception):
    """Reading failed; the message says what was asked, of which GPU, and what the driver answered."""


class DriverError(DeviceError):
    """No GPU of this node can be read."""


class DriverMissing(DriverError):
    """The driver library is not installed, or its kernel module is not loaded."""


class DriverMismatch(DriverError):
    """The driver was upgraded underneath us: library and kernel module differ until a restart or reboot."""


class DriverFailed(DriverError):
    """The driver did not start, or stopped answering, for another reason."""


class DeviceLost(DeviceError):
    """This GPU no longer answers; usually only a reboot brings it back."""


class DeviceNeedsReset(DeviceError):
    """This GPU wants a reset before it answers again."""


class DeviceDenied(DeviceError):
    """The operating system or the driver does not let us read this GPU."""


class DeviceFailed(DeviceError):
    """This GPU refused for a reason that NVML does not explain."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which GPU this is. Empty text where the driver does not say."""

    index: int
    """Place in the driver's list; can change when a GPU disappears."""
    uuid: str
    name: str
    pci_bus_id: str
    vbios_version: str
    driver_version: str
    cuda_version: str
    """Newest CUDA version that this driver supports, such as `13.1`."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Device memory."""

    total_bytes: int | None = None
    used_bytes: int | None = None
    """Without what the driver reserves, except on drivers that cannot tell the two apart."""
    free_bytes: int | None = None
    reserved_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Utilization:
    """Shares of the driver's last sample period (1/6 to 1 second), 0 to 1."""

    gpu_ratio: float | None = None
    """Time in which at least one kernel ran."""
    memory_ratio: float | None = None
    """Time in which device memory was read or written."""


@dataclass(frozen=True, slots=True)
class Thermals:
    """Temperatures and what is left before the hardware acts."""

    gpu_celsius: float | None = None
    memory_celsius: float | None = None
    margin_celsius: float | None = None
    """Degrees left before hardware slowdown; 0 or below means slowed down."""
    slowdown_celsius: float | None = None
    shutdown_celsius: float | None = None


@dataclass(frozen=True, slots=True)
class Power:
    """Power and energy of the whole board."""

    draw_watts: float | None = None
    limit_watts: float | None = None
    """The limit enforced now, whoever set it."""
    energy_joules: float | None = None
    """Since the driver was loaded; starts again at 0 with the driver."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU that answered."""

    identity: Identity
    memory: Memory
    utilization: Utilization
    thermals: Thermals
    power: Power
