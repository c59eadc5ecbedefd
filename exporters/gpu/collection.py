"""One collection: every GPU asked once, the answers and the refusals side by side.

Knows neither Prometheus nor threads nor processes. Which GPUs there should be, which of them are left alone for
a while and what became of each is remembered here, outside the process that asks the driver.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from exporters.gpu.attribution.usage import Usage
from exporters.gpu.devices.codes import Code
from exporters.gpu.devices.errors import DeviceError, DeviceLost, DriverError, DriverFailed
from exporters.gpu.devices.reading import GpuReading, Identity
from exporters.gpu.inventory import Expected, Inventory
from exporters.gpu.isolation.backoff import Backoff
from exporters.gpu.sweep import Answered, DeviceHung, Listed, Refused, Sweep
from exporters.gpu.xid.tally import Errors

LOG = logging.getLogger(__name__)

_LONGEST_QUARANTINE_SECONDS = 60.0


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


_NEVER = Record(-1, "")


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


@dataclass(slots=True)
class _Turn:
    """What the sweep of one collection has found so far."""

    readings: dict[int, Answered] = field(default_factory=dict)
    refusals: dict[int, DeviceError] = field(default_factory=dict)
    listed: int | None = None


@dataclass(slots=True)
class _Quarantine:
    """A GPU that is left alone for a while."""

    error: DeviceError
    backoff: Backoff
    until: float


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
        self._quarantine_seconds = quarantine_seconds
        self._wall = wall
        self._clock = clock
        self._quarantined: dict[int, _Quarantine] = {}
        self._listed: int | None = None
        self._records: dict[str, Record] = {}
        self._answering: frozenset[int] | None = None
        self._said: dict[str, type[DeviceError]] = {}

    def collect(self) -> Collection:
        """Ask every GPU once, those in quarantine excepted. Never raises a DeviceError."""
        started = self._clock()
        turn = _Turn()
        driver_error = self._ask(frozenset(self._quarantined), turn)
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
        due = [index for index, one in self._quarantined.items() if self._clock() >= one.until]
        for index in due:
            turn = _Turn()
            error = self._ask(frozenset(range(self._listed or 0)) - {index}, turn)
            refusal = turn.refusals.get(index, error)
            if isinstance(refusal, DeviceHung | DriverError):
                self._extend(index, refusal)
            else:
                self._quarantined.pop(index, None)

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
                            self._extend(index, error)
            return _nodes_lost(turn)
        except DriverError as error:
            turn.readings.clear()
            return error

    def _meet(self, count: int) -> None:
        """The places of a list of another length are other GPUs: nobody stays in quarantine for them."""
        if self._listed is not None and count != self._listed:
            self._quarantined.clear()
        self._listed = count

    def _extend(self, index: int, error: DeviceError) -> None:
        new = _Quarantine(error, Backoff(self._quarantine_seconds, _LONGEST_QUARANTINE_SECONDS), 0.0)
        one = self._quarantined.setdefault(index, new)
        one.error, one.until = error, self._clock() + one.backoff.next()

    def _absentees(
        self, answered: Iterable[Identity], refusals: dict[int, DeviceError], driver_error: DriverError | None
    ) -> tuple[Absentee, ...]:
        here = {one.uuid for one in answered}
        unexplained = {index: one.error for index, one in self._quarantined.items()} | refusals
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


def _nodes_lost(turn: _Turn) -> DriverError | None:
    """The failure of the whole that looks like a failure of every GPU: a container that lost its device nodes."""
    codes = {error.code for error in turn.refusals.values()}
    if turn.readings or codes != {Code.UNKNOWN}:
        return None
    error = DriverFailed(
        "every GPU answers 'unknown error' (code 999): a container whose device nodes were taken away, as by "
        "`systemctl daemon-reload`, has to be restarted"
    )
    error.code = Code.UNKNOWN
    return error


def _unlisted(who: str) -> DeviceLost:
    error = DeviceLost(f"{who}: the driver does not list it")
    error.code = Code.GPU_NOT_FOUND
    return error
