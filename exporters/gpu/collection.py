"""What one collection found: the answers and the refusals of all GPUs side by side. Plain facts."""

from dataclasses import dataclass, field

from exporters.gpu.attribution.usage import Usage
from exporters.gpu.devices.errors import DeviceError, DriverError
from exporters.gpu.devices.reading import GpuReading
from exporters.gpu.xid.tally import Errors


@dataclass(frozen=True, slots=True)
class Absentee:
    """A GPU that did not answer."""

    index: int
    """Its last known place in the driver's list."""
    uuid: str
    """Empty where it has never answered."""
    error: DeviceError


@dataclass(frozen=True, slots=True)
class Record:
    """What became of asking one GPU, over all collections."""

    index: int
    uuid: str
    """Empty where it has never answered."""
    pci_bus_id: str = ""
    """Its last slot; empty where it has never answered."""
    read_at: float | None = None
    """When it last answered, in seconds since the epoch; None for never."""
    read_seconds: float | None = None
    """How long that took; None where it does not answer now."""
    error_code: int | None = None
    """NVML's code of its last refusal, -1 where a call did not return; None where it never refused."""
    quarantined: bool = False
    """Whether it is left alone for a while, because a call to it did not return."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What watching over the driver took, since the exporter started."""

    restarts: tuple[tuple[str, int], ...] = ()
    """Processes that were replaced, by what they do."""
    kills: tuple[tuple[str, int], ...] = ()
    """Processes that were killed because a call did not return, by what they do."""
    abandoned: int = 0
    """Processes that are still inside a driver call although they were killed."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection found."""

    readings: tuple[GpuReading, ...]
    absentees: tuple[Absentee, ...]
    driver_error: DriverError | None
    """Why no GPU could be read; None where the driver answered."""
    ended_at: float
    """Seconds since the epoch."""
    duration_seconds: float
    listed: int | None = None
    """How many GPUs the driver lists; None where it does not say."""
    expected: int = 0
    """How many there should be."""
    records: tuple[Record, ...] = ()
    errors: Errors = field(default_factory=Errors)
    cost: Cost = field(default_factory=Cost)
    usages: tuple[Usage, ...] = ()
    """Who uses the GPUs."""
