"""One collection: every GPU asked once, the answers and the refusals side by side.

Knows neither Prometheus nor threads. Which GPUs there should be is remembered here, outside the code that
asks the driver: a GPU that disappears stays on the list as one that does not answer.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.reading import DeviceError, DeviceLost, DriverError, GpuReading

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Absentee:
    """A GPU that did not answer."""

    index: int
    """Its last known place in the driver's list."""
    uuid: str
    """Empty where it has never answered."""
    error: DeviceError


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


class Collector:
    """Asks every GPU, and keeps in mind which ones there were.

    Args:
        nvml: The driver; opened here whenever it is not open.
        wall: Seconds since the epoch.
        clock: Seconds that never go back.
    """

    def __init__(
        self, nvml: Nvml, wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._nvml = nvml
        self._wall = wall
        self._clock = clock
        self._places: dict[str, int] = {}
        self._said: dict[str, type[DeviceError]] = {}

    def collect(self) -> Collection:
        """Ask every GPU once. Never raises a DeviceError; returns when the last call has returned."""
        started = self._clock()
        readings: list[GpuReading] = []
        refusals: dict[int, DeviceError] = {}
        driver_error = None
        try:
            self._nvml.open()
            self._read_all(readings, refusals)
        except DriverError as error:
            self._nvml.close()
            driver_error, readings = error, []
        absentees = self._absentees(readings, refusals, driver_error)
        self._say_changes(driver_error, absentees)
        return Collection(tuple(readings), absentees, driver_error, self._wall(), self._clock() - started)

    def _read_all(self, readings: list[GpuReading], refusals: dict[int, DeviceError]) -> None:
        for index in range(self._nvml.gpu_count()):
            try:
                reading = self._nvml.read(index)
            except DriverError:
                raise
            except DeviceError as error:
                refusals[index] = error
            else:
                readings.append(reading)
                self._places[reading.identity.uuid] = index

    def _absentees(
        self, readings: list[GpuReading], refusals: dict[int, DeviceError], driver_error: DriverError | None
    ) -> tuple[Absentee, ...]:
        here = {reading.identity.uuid for reading in readings}
        unexplained = dict(refusals)
        found = []
        for uuid, index in self._places.items():
            if uuid not in here:
                refusal = unexplained.pop(index, None)
                error = driver_error or refusal or DeviceLost(f"GPU {index} ({uuid}): the driver no longer lists it")
                found.append(Absentee(index, uuid, error))
        found += [Absentee(index, "", error) for index, error in unexplained.items()]
        return tuple(sorted(found, key=lambda one: (one.index, one.uuid)))

    def _say_changes(self, driver_error: DriverError | None, absentees: tuple[Absentee, ...]) -> None:
        """One line when something stops answering, or the kind of reason changes, and one when it answers again."""
        now: dict[str, DeviceError] = {f"GPU {one.index} {one.uuid}".strip(): one.error for one in absentees}
        if driver_error is not None:
            now = {"driver": driver_error}
        for subject in self._said.keys() - now.keys():
            if driver_error is None:
                LOG.info("%s answers again", subject)
        for subject, error in now.items():
            if self._said.get(subject) is not type(error):
                LOG.warning("%s does not answer, asking on at every collection: %s", subject, error)
        self._said = {subject: type(error) for subject, error in now.items()}
