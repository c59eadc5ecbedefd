"""What one GPU said in one collection. Knows neither NVML nor Prometheus.

Every number carries its unit in its name and is already in base units. None, or a missing key, means that this
card or this driver does not report the value, never that it is zero. How asking can fail is in `errors.py`.
"""

from dataclasses import dataclass, field

from exporters.gpu.devices.errors import (
    DeviceDenied,
    DeviceError,
    DeviceFailed,
    DeviceLost,
    DeviceNeedsReset,
    DriverError,
    DriverFailed,
    DriverMismatch,
    DriverMissing,
)
from exporters.gpu.devices.readers.activity import Activity
from exporters.gpu.devices.readers.bar1 import Bar1
from exporters.gpu.devices.readers.clocks import Clocks
from exporters.gpu.devices.readers.ecc import Ecc, Sram
from exporters.gpu.devices.readers.fabric import Fabric
from exporters.gpu.devices.readers.fans import Fans
from exporters.gpu.devices.readers.media import Media
from exporters.gpu.devices.readers.memory import Memory
from exporters.gpu.devices.readers.mig import Instance, Mig
from exporters.gpu.devices.readers.nvlink import NvLink
from exporters.gpu.devices.readers.pcie import Pcie
from exporters.gpu.devices.readers.power import Power
from exporters.gpu.devices.readers.processes import Process, Processes
from exporters.gpu.devices.readers.row_histogram import RowHistogram
from exporters.gpu.devices.readers.rows import Rows
from exporters.gpu.devices.readers.thermals import Thermals
from exporters.gpu.devices.readers.throttling import Throttling
from exporters.gpu.devices.readers.utilization import Utilization

__all__ = [
    "Activity",
    "Bar1",
    "Clocks",
    "DeviceDenied",
    "DeviceError",
    "DeviceFailed",
    "DeviceLost",
    "DeviceNeedsReset",
    "DriverError",
    "DriverFailed",
    "DriverMismatch",
    "DriverMissing",
    "Ecc",
    "Fabric",
    "Fans",
    "GpuReading",
    "Identity",
    "Instance",
    "Media",
    "Memory",
    "Mig",
    "NvLink",
    "Pcie",
    "Power",
    "Process",
    "Processes",
    "RowHistogram",
    "Rows",
    "Sram",
    "Thermals",
    "Throttling",
    "Utilization",
]


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
    minor_number: int | None = None
    """N of its device node /dev/nvidiaN."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU that answered: a field per subject, named as its reader."""

    identity: Identity
    clocks: Clocks = field(default_factory=Clocks)
    memory: Memory = field(default_factory=Memory)
    utilization: Utilization = field(default_factory=Utilization)
    thermals: Thermals = field(default_factory=Thermals)
    power: Power = field(default_factory=Power)
    throttling: Throttling = field(default_factory=Throttling)
    ecc: Ecc = field(default_factory=Ecc)
    rows: Rows = field(default_factory=Rows)
    nvlink: NvLink = field(default_factory=NvLink)
    pcie: Pcie = field(default_factory=Pcie)
    processes: Processes = field(default_factory=Processes)
    mig: Mig = field(default_factory=Mig)
    activity: Activity = field(default_factory=Activity)
    fabric: Fabric = field(default_factory=Fabric)
    media: Media = field(default_factory=Media)
    fans: Fans = field(default_factory=Fans)
    bar1: Bar1 = field(default_factory=Bar1)
    row_histogram: RowHistogram = field(default_factory=RowHistogram)
