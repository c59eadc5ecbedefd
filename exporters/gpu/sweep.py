"""One round over the GPUs, as a stream of what was found: the same whether NVML is in this process or in a child."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from exporters.gpu.devices.codes import Code
from exporters.gpu.devices.errors import DeviceError, DeviceFailed, DriverError, DriverFailed
from exporters.gpu.devices.reading import GpuReading

NEVER_RETURNED = -1
"""In place of NVML's code, where a call did not come back or took its process with it."""


class DeviceHung(DeviceFailed):
    """A call about this GPU did not return in time, or killed the process that made it."""

    code = NEVER_RETURNED


class DriverHung(DriverFailed):
    """A call about the driver as a whole did not return in time, or killed the process that made it."""

    code = NEVER_RETURNED


class Driver(Protocol):
    """What is needed of `devices.nvml.Nvml`; the exporter itself does not load that."""

    def open(self) -> None:
        """Start the driver if it is not started. Raises DriverError."""

    def close(self) -> None:
        """Stop the driver."""

    def gpu_count(self) -> int:
        """How many GPUs the driver lists. Raises DriverError."""

    def read(self, index: int) -> GpuReading:
        """What one GPU says. Raises DeviceError."""


@dataclass(frozen=True, slots=True)
class Listed:
    """How many GPUs the driver lists; comes first."""

    count: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A GPU that could be read."""

    reading: GpuReading
    seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A GPU that could not."""

    index: int
    error: DeviceError


@dataclass(frozen=True, slots=True)
class Done:
    """The end, where findings come from another process."""


Finding = Listed | Answered | Refused
Sweep = Callable[[frozenset[int]], Iterator[Finding]]
"""Takes the indices to leave alone. Raises DriverError where no GPU can be read."""


def sweep(
    nvml: Driver,
    skip: frozenset[int],
    enter: Callable[[int | None], None] = lambda index: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Finding]:
    """Ask every GPU once, those to skip excepted.

    Args:
        nvml: The driver; opened here whenever it is not open, and closed after a DriverError.
        skip: Indices of GPUs that are not touched.
        enter: Told each GPU before it is asked, and None before the driver is.
        clock: Seconds that never go back.

    Raises:
        DriverError: No GPU can be read.
    """
    try:
        enter(None)
        nvml.open()
        count = nvml.gpu_count()
        yield Listed(count)
        codes: set[int | None] = set()
        for index in range(count):
            if index not in skip:
                enter(index)
                finding = _ask(nvml, index, clock)
                codes.add(finding.error.code if isinstance(finding, Refused) else Code.SUCCESS)
                yield finding
        if codes == {Code.UNKNOWN} and not skip:
            raise _nodes_lost()
    except DriverError:
        nvml.close()
        raise


def _ask(nvml: Driver, index: int, clock: Callable[[], float]) -> Answered | Refused:
    started = clock()
    try:
        reading = nvml.read(index)
    except DriverError:
        raise
    except DeviceError as error:
        return Refused(index, error)
    return Answered(reading, clock() - started)


def _nodes_lost() -> DriverFailed:
    """The failure of the whole that looks like one of every GPU."""
    error = DriverFailed(
        "every GPU answers 'unknown error' (code 999): a container whose device nodes were taken away, as by "
        "`systemctl daemon-reload`, has to be restarted"
    )
    error.code = Code.UNKNOWN
    return error
