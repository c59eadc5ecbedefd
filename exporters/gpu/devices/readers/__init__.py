"""From one GPU to one subject's facts: a file per subject, every one of them in `READERS` or `OPTIONAL_READERS`.

Each file holds what is known of its subject, in base units, and the NVML calls that say it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from exporters.gpu.devices.asking import FieldKey, Gpu
from exporters.gpu.devices.readers import (
    activity,
    bar1,
    clocks,
    ecc,
    fabric,
    fans,
    media,
    memory,
    mig,
    nvlink,
    pcie,
    power,
    processes,
    row_histogram,
    rows,
    thermals,
    throttling,
    utilization,
)


@dataclass(frozen=True, slots=True)
class Reader:
    """How one subject is read."""

    subject: str
    """The file's name, and the field of `GpuReading`."""
    read: Callable[[Gpu], object]
    fields: tuple[FieldKey, ...] = ()
    """Field values that it needs, fetched before in as few calls as possible."""


READERS = (
    # First: what it finds decides what the others ask anew.
    Reader("clocks", clocks.read),
    Reader("memory", memory.read),
    Reader("utilization", utilization.read),
    Reader("thermals", thermals.read, thermals.FIELDS),
    Reader("power", power.read, power.FIELDS),
    Reader("throttling", throttling.read, throttling.FIELDS),
    Reader("ecc", ecc.read, ecc.FIELDS),
    Reader("rows", rows.read, rows.FIELDS),
    Reader("nvlink", nvlink.read, nvlink.FIELDS),
    Reader("pcie", pcie.read, pcie.FIELDS),
    Reader("processes", processes.read),
    Reader("mig", mig.read),
    Reader("activity", activity.read),
    Reader("fabric", fabric.read),
)
"""Read in every collection."""

OPTIONAL_READERS = (
    Reader("media", media.read),
    Reader("fans", fans.read),
    Reader("bar1", bar1.read),
    Reader("row_histogram", row_histogram.read),
)
"""Read where the user wants them."""
