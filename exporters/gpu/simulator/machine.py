"""The simulated machine: its GPUs, its driver's state and its clock, for several threads.

The only place that holds simulated state. What reads it (the NVML stand-in) and what sets it (the control API,
the load watcher) hold none, so that a reader can be killed and started again without healing a fault.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypedDict

from exporters.gpu.simulator.gpu import IDLE, STEP_SECONDS, GpuState, Load, Observation, SimulatedGpu
from exporters.gpu.simulator.profiles import Profile

DriverState = Literal["ok", "not_loaded", "mismatch"]

_LONGEST_CATCH_UP_STEPS = 600
_KEPT_EVENTS = 1000


class Changes(TypedDict, total=False):
    """Fields of a GPU to set; None gives a field back to the simulation."""

    temperature_celsius: float | None
    utilization_ratio: float | None
    memory_used_bytes: int | None
    power_watts: float | None
    state: GpuState | None
    ecc_uncorrected: int | None
    throttle: tuple[str, ...] | None
    remap_pending: bool | None
    remap_failure: bool | None
    sram_worn: bool | None
    recovery_action: int | None
    nvlink_down: tuple[int, ...] | None
    nvlink_errors_per_second: float | None
    pcie_lanes: int | None
    pcie_replays_per_second: float | None
    unsupported: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class XidEvent:
    """A hardware or driver error that a simulated GPU reported."""

    number: int
    """Counts up over all GPUs, from 1."""
    index: int
    """Of the GPU."""
    xid: int


class Machine(Protocol):
    """What the NVML stand-in sees of a simulated machine, in this process or in another."""

    @property
    def profile(self) -> Profile:
        """What card the GPUs are."""

    @property
    def gpu_count(self) -> int:
        """How many GPUs there are."""

    @property
    def driver(self) -> DriverState:
        """What state the driver is in."""

    def observe(self, index: int) -> Observation:
        """What this GPU shows now. Raises IndexError where there is none."""

    def wait_while_hanging(self, index: int) -> None:
        """Do not return before this GPU's state is another than `hang`, however long that takes."""

    def event_count(self) -> int:
        """Number of the newest event; 0 before the first."""

    def events_after(self, number: int, timeout_seconds: float) -> tuple[XidEvent, ...]:
        """The events behind this number, as soon as there are any; none where that takes longer than the timeout."""


class SimulatedMachine:
    """GPUs that share one load, and the driver over them.

    Args:
        profile: What card they all are.
        gpu_count: How many; 0 is a machine without GPUs.
        seed: Same seed, same noise and same uuids.
        clock: Seconds that never go back.
    """

    def __init__(
        self, profile: Profile, gpu_count: int, *, seed: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.profile = profile
        self.gpu_count = gpu_count
        self._clock = clock
        self._gpus = [SimulatedGpu(profile, index, seed) for index in range(gpu_count)]
        self._driver: DriverState = "ok"
        self._events: deque[XidEvent] = deque(maxlen=_KEPT_EVENTS)
        self._event_count = 0
        self._load = IDLE
        self._stepped_at = clock()
        self._changed = threading.Condition(threading.RLock())

    @property
    def driver(self) -> DriverState:
        """What state the driver is in."""
        return self._driver

    def set_driver(self, state: DriverState) -> None:
        """Break or mend the driver; releases calls that hang if it is broken."""
        with self._changed:
            self._driver = state
            self._changed.notify_all()

    def set_load(self, load: Load) -> None:
        """From now on the GPUs do this."""
        with self._changed:
            self._catch_up()
            self._load = load

    def observe(self, index: int) -> Observation:
        """What this GPU shows now. Raises IndexError where there is none."""
        with self._changed:
            self._catch_up()
            return self._gpus[index].observe()

    def change(self, index: int, changes: Changes) -> None:
        """Set fields of one GPU, or give them back. Raises IndexError where there is none."""
        with self._changed:
            self._catch_up()
            gpu = self._gpus[index]
            gpu.override = replace(gpu.override, **changes)
            self._changed.notify_all()

    def wait_while_hanging(self, index: int) -> None:
        """Do not return before this GPU's state is another than `hang`, however long that takes."""
        with self._changed:
            self._changed.wait_for(lambda: self._gpus[index].override.state != "hang" or self._driver != "ok")

    def report_xid(self, index: int, xid: int) -> None:
        """Let this GPU report an error. Raises IndexError where there is none."""
        with self._changed:
            self._gpus[index].observe()
            self._event_count += 1
            self._events.append(XidEvent(self._event_count, index, xid))
            self._changed.notify_all()

    def event_count(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._event_count

    def events_after(self, number: int, timeout_seconds: float) -> tuple[XidEvent, ...]:
        """The events behind this number, as soon as there are any; none where that takes longer than the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._event_count > number, timeout_seconds)
            return tuple(event for event in self._events if event.number > number)

    def _catch_up(self) -> None:
        steps = int((self._clock() - self._stepped_at) / STEP_SECONDS)
        self._stepped_at += steps * STEP_SECONDS
        # After a suspended laptop wakes up, the last minutes are as good as the whole night.
        for _ in range(min(steps, _LONGEST_CATCH_UP_STEPS)):
            for gpu in self._gpus:
                gpu.step(self._load)
