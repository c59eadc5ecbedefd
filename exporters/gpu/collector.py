"""Asking all GPUs, over and over: who answered, who did not, who should have.

Knows neither Prometheus nor threads nor processes. Which GPUs there should be, which of them are left alone for
a while and what became of each is remembered here, outside the process that asks the driver.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from exporters.gpu.collection import Absentee, Collection, Record
from exporters.gpu.devices.codes import Code
from exporters.gpu.devices.errors import DeviceError, DeviceLost, DriverError
from exporters.gpu.devices.reading import Identity
from exporters.gpu.inventory import Expected, Inventory
from exporters.gpu.quarantine import Quarantine
from exporters.gpu.sweep import Answered, DeviceHung, Listed, Refused, Sweep

LOG = logging.getLogger(__name__)

_NEVER = Record(-1, "")


@dataclass(slots=True)
class _Turn:
    """What the sweep of one collection has found so far."""

    readings: dict[int, Answered] = field(default_factory=dict)
    refusals: dict[int, DeviceError] = field(default_factory=dict)
    listed: int | None = None


class Collector:
    """Asks every GPU, and keeps in mind which ones there were and how each of them fared.

    Args:
        sweep: Asks the driver.
        inventory: Which GPUs there should be; by default those seen so far.
        quarantine_seconds: How long a GPU is first left alone after a call to it did not return; doubles up to 60 s.
        wall: Seconds since the epoch.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        sweep: Sweep,
        inventory: Inventory | None = None,
        quarantine_seconds: float = 10.0,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sweep = sweep
        self._inventory = inventory or Inventory(Expected())
        self._quarantine = Quarantine(quarantine_seconds, clock)
        self._wall = wall
        self._clock = clock
        self._listed: int | None = None
        self._records: dict[str, Record] = {}
        self._answering: frozenset[int] | None = None
        self._said: dict[str, type[DeviceError]] = {}

    def collect(self) -> Collection:
        """Ask every GPU once, those in quarantine excepted. Never raises a DeviceError."""
        started = self._clock()
        turn = _Turn()
        driver_error = self._ask(frozenset(self._quarantine.errors()), turn)
        identities = {index: answered.reading.identity for index, answered in turn.readings.items()}
        self._answering = frozenset(identities)
        self._inventory.learn(identities.values())
        absentees = self._absentees(identities.values(), turn.refusals, driver_error)
        ended_at = self._wall()
        self._record(turn, absentees, driver_error, ended_at)
        self._say_changes(driver_error, absentees, turn.listed)
        return Collection(
            readings=tuple(answered.reading for answered in turn.readings.values()),
            absentees=absentees,
            driver_error=driver_error,
            ended_at=ended_at,
            duration_seconds=self._clock() - started,
            listed=None if driver_error is not None else turn.listed,
            expected=self._inventory.count(),
            records=tuple(sorted(self._records.values(), key=lambda one: (one.index, one.uuid))),
        )

    def answering(self) -> frozenset[int] | None:
        """Indices of the GPUs that answered the last collection; None before the first."""
        return self._answering

    def retry(self) -> None:
        """Try GPUs whose quarantine is over, one by one; the next collection asks those that answer.

        Apart from `collect`, so that healthy GPUs never wait for a sick one.
        """
        for index in self._quarantine.due():
            turn = _Turn()
            error = self._ask(frozenset(range(self._listed or 0)) - {index}, turn)
            if error is not None:
                self._quarantine.put(index, error)
            elif not isinstance(turn.refusals.get(index), DeviceHung):
                self._quarantine.release(index)

    def _ask(self, skip: frozenset[int], turn: _Turn) -> DriverError | None:
        try:
            for finding in self._sweep(skip):
                match finding:
                    case Listed(count):
                        turn.listed = count
                        self._meet(count)
                    case Answered(reading):
                        turn.readings[reading.identity.index] = finding
                    case Refused(index, error):
                        turn.refusals[index] = error
                        if isinstance(error, DeviceHung):
                            self._quarantine.put(index, error)
        except DriverError as error:
            turn.readings.clear()
            return error
        return None

    def _meet(self, count: int) -> None:
        """The places of a list of another length are other GPUs: nobody stays in quarantine for them."""
        if self._listed is not None and count != self._listed:
            self._quarantine.clear()
        self._listed = count

    def _absentees(
        self, answered: Iterable[Identity], refusals: dict[int, DeviceError], driver_error: DriverError | None
    ) -> tuple[Absentee, ...]:
        here = {one.uuid for one in answered}
        unexplained = self._quarantine.errors() | refusals
        found = []
        for known in self._inventory.known():
            if known.uuid not in here:
                refusal = unexplained.pop(known.index, None) or _unlisted(f"GPU {known.index} ({known.uuid})")
                found.append(Absentee(known.index, known.uuid, driver_error or refusal))
        found += [Absentee(index, "", driver_error or error) for index, error in unexplained.items()]
        found += self._never_seen(here, found, driver_error)
        return tuple(sorted(found, key=lambda one: (one.index, one.uuid)))

    def _never_seen(self, here: set[str], found: list[Absentee], error: DriverError | None) -> list[Absentee]:
        """GPUs that only the expected number knows of."""
        missing = self._inventory.count() - len(here) - len(found)
        taken = {one.index for one in self._inventory.known()} | {one.index for one in found}
        free = (index for index in range(len(taken) + max(0, missing)) if index not in taken)
        places = [index for index, _ in zip(free, range(missing), strict=False)]
        return [Absentee(index, "", error or _unlisted(f"GPU {index}")) for index in places]

    def _record(
        self, turn: _Turn, absentees: tuple[Absentee, ...], driver_error: DriverError | None, now: float
    ) -> None:
        before, self._records = self._records, {}
        for answered in turn.readings.values():
            who = answered.reading.identity
            old = before.get(who.uuid) or before.get(f"#{who.index}", _NEVER)
            self._records[who.uuid] = Record(who.index, who.uuid, who.pci_bus_id, now, answered.seconds, old.error_code)
        slots = {known.uuid: known.pci_bus_id for known in self._inventory.known()}
        for absentee in absentees:
            key = absentee.uuid or f"#{absentee.index}"
            old = before.get(key, Record(absentee.index, absentee.uuid, slots.get(absentee.uuid, "")))
            # A broken driver is no GPU's own fault: the GPU keeps the last error of its own.
            code = old.error_code if driver_error is not None else absentee.error.code
            quarantined = driver_error is None and isinstance(absentee.error, DeviceHung)
            self._records[key] = replace(old, read_seconds=None, error_code=code, quarantined=quarantined)

    def _say_changes(
        self, driver_error: DriverError | None, absentees: tuple[Absentee, ...], listed: int | None
    ) -> None:
        """One line when something stops answering, or the kind of reason changes, and one when it answers again."""
        now: dict[str, DeviceError] = {f"GPU {one.index} {one.uuid}".strip(): one.error for one in absentees}
        if driver_error is not None:
            now = {"driver": driver_error}
        elif listed == 0:
            now["driver lists no GPU and"] = _unlisted("no GPU")
        for subject in self._said.keys() - now.keys():
            if driver_error is None:
                LOG.info("%s answers again", subject)
        for subject, error in now.items():
            if self._said.get(subject) is not type(error):
                LOG.warning("%s does not answer, asking on: %s", subject, error)
        self._said = {subject: type(error) for subject, error in now.items()}


def _unlisted(who: str) -> DeviceLost:
    error = DeviceLost(f"{who}: the driver does not list it")
    error.code = Code.GPU_NOT_FOUND
    return error
