"""Faults that can be switched on in the running service, to prove that what watches it notices.

To add one: a FaultKind in FAULTS (and out of PLANNED), and one call of `strikes` or `wait_while` where it bites.
"""

import random
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be injected."""

    name: str
    summary: str
    takes: frozenset[str]
    """Which of ratio, seconds and count mean something here."""


HANG = FaultKind("hang", "The engine stops stepping; HTTP still answers.", frozenset({"seconds"}))
ERROR = FaultKind("error", "Requests fail with internal_error.", frozenset({"ratio", "seconds", "count"}))
FAULTS = (HANG, ERROR)

PLANNED = (
    "slow_steps",
    "oom",
    "reject",
    "queue_stall",
    "stream_cut",
    "model_not_loaded",
    "wrong_model",
    "wrong_answers",
    "crash",
    "crash_loop",
    "memory_leak",
)
"""Names that are reserved by the design and not built yet."""


@dataclass(slots=True)
class ActiveFault:
    """A fault that is on."""

    kind: FaultKind
    ratio: float
    """Share of the requests that it hits, above 0 to 1."""
    until: float | None
    """In seconds of time.monotonic(); None until it is switched off."""
    count: int | None
    """How many more it hits; None for no limit."""

    @property
    def seconds_left(self) -> float | None:
        """Until it ends by itself; None where it does not."""
        return None if self.until is None else max(0.0, self.until - time.monotonic())


class Faults:
    """Which faults are on. Safe to use from every thread."""

    def __init__(self) -> None:
        self._active: dict[str, ActiveFault] = {}
        self._changed = threading.Condition()
        # A seed, so that a ratio hits the same requests in every run.
        self._random = random.Random(0)  # noqa: S311 - nothing secret

    def switch_on(
        self, kind: FaultKind, ratio: float = 1.0, seconds: float | None = None, count: int | None = None
    ) -> None:
        """Switch a fault on, or replace what it does where it is on."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            self._active[kind.name] = ActiveFault(kind, ratio, until, count)

    def switch_off(self, kind: FaultKind) -> None:
        """Switch a fault off; harmless where it is not on."""
        with self._changed:
            self._active.pop(kind.name, None)
            self._changed.notify_all()

    def clear(self) -> None:
        """Switch everything off."""
        for kind in FAULTS:
            self.switch_off(kind)

    def active(self) -> list[ActiveFault]:
        """What is on now."""
        with self._changed:
            return [fault for kind in FAULTS if (fault := self._current(kind))]

    def strikes(self, kind: FaultKind) -> bool:
        """Whether the fault hits this time; counts it if so."""
        with self._changed:
            fault = self._current(kind)
            if not fault or self._random.random() >= fault.ratio:
                return False
            if fault.count is not None:
                fault.count -= 1
            return True

    def wait_while(self, kind: FaultKind) -> None:
        """Block this thread for as long as the fault is on."""
        with self._changed:
            while fault := self._current(kind):
                self._changed.wait(None if fault.until is None else max(0.0, fault.until - time.monotonic()))

    def _current(self, kind: FaultKind) -> ActiveFault | None:
        fault = self._active.get(kind.name)
        if fault and (fault.count == 0 or (fault.until is not None and time.monotonic() >= fault.until)):
            del self._active[kind.name]
            return None
        return fault
