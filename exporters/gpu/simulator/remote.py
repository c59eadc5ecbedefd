"""The simulated machine seen from another process: a picture of it on request, over a socket.

State stays where the machine is. The picture is the reader's, for some milliseconds, so that the hundreds of
calls of one collection cost a few questions.
"""

import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from exporters.gpu.simulator.gpu import Observation
from exporters.gpu.simulator.machine import DriverState, SimulatedMachine, XidEvent
from exporters.gpu.simulator.profiles import Profile

_FRESH_SECONDS = 0.05
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Picture:
    """The machine at one instant."""

    profile: Profile
    driver: DriverState
    gpus: tuple[Observation, ...]
    event_count: int


@dataclass(frozen=True, slots=True)
class EventsAfter:
    """Asks for events in place of a picture."""

    number: int
    timeout_seconds: float


def serve(machine: SimulatedMachine, connection: Connection) -> None:
    """Answer the process at the other end, in a thread that ends with it."""
    threading.Thread(target=_answer, args=(machine, connection), name="simulated machine", daemon=True).start()


def _answer(machine: SimulatedMachine, connection: Connection) -> None:
    try:
        while True:
            asked = connection.recv()
            if isinstance(asked, EventsAfter):
                connection.send(machine.events_after(asked.number, asked.timeout_seconds))
            else:
                connection.send(_picture(machine))
    except (EOFError, OSError):
        connection.close()


def _picture(machine: SimulatedMachine) -> Picture:
    gpus = tuple(machine.observe(index) for index in range(machine.gpu_count))
    return Picture(machine.profile, machine.driver, gpus, machine.event_count())


class RemoteMachine:
    """A `SimulatedMachine` for those who look at it from another process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._picture = self._look()
        self._looked_at = time.monotonic()
        self._mismatched = False

    @property
    def profile(self) -> Profile:
        """What card the GPUs are."""
        return self._picture.profile

    @property
    def gpu_count(self) -> int:
        """How many GPUs there are."""
        return len(self._now().gpus)

    @property
    def driver(self) -> DriverState:
        """What state the driver is in, for this process: one that met an upgrade keeps the old library."""
        state = self._now().driver
        self._mismatched = self._mismatched or state == "mismatch"
        return "mismatch" if self._mismatched else state

    def observe(self, index: int) -> Observation:
        """What this GPU shows now. Raises IndexError where there is none."""
        return self._now().gpus[index]

    def wait_while_hanging(self, index: int) -> None:
        """Do not return before this GPU's state is another than `hang`, however long that takes."""
        while self._now().gpus[index].state == "hang" and self.driver == "ok":
            time.sleep(_LOOK_AGAIN_SECONDS)

    def event_count(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._now().event_count

    def events_after(self, number: int, timeout_seconds: float) -> tuple[XidEvent, ...]:
        """The events behind this number, as soon as there are any; none where that takes longer than the timeout."""
        self._connection.send(EventsAfter(number, timeout_seconds))
        found = self._connection.recv()
        assert isinstance(found, tuple)
        return found

    def _now(self) -> Picture:
        if time.monotonic() - self._looked_at > _FRESH_SECONDS:
            self._picture = self._look()
            self._looked_at = time.monotonic()
        return self._picture

    def _look(self) -> Picture:
        self._connection.send(None)
        found = self._connection.recv()
        assert isinstance(found, Picture)
        return found
