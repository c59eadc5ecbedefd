"""Faults that can be switched on in the running service, to prove that what watches it notices.

To add one: a FaultKind in FAULTS, and one call of `strikes`, `is_on` or `wait_while` where it bites: in
disturbing.py for what happens inside the engine, in api/ for what clients see of HTTP.
"""

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "INFERENCE_FAULT_"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be injected."""

    name: str
    summary: str
    takes: frozenset[str]
    """Which of ratio, seconds and count mean something here."""


_ALL = frozenset({"ratio", "seconds", "count"})
_SECONDS = frozenset({"seconds"})

HANG = FaultKind("hang", "The engine stops stepping; HTTP still answers.", _SECONDS)
SLOW_STEPS = FaultKind("slow_steps", "Turns of the engine take 0.25 s longer; ratio and count are over turns.", _ALL)
ERROR = FaultKind("error", "Requests fail with internal_error before they are queued.", _ALL)
OOM = FaultKind("oom", "The prompts of requests do not fit into memory: they fail with oom.", _ALL)
REJECT = FaultKind("reject", "Requests are refused as if the queue were full: 429 queue_full.", _ALL)
QUEUE_STALL = FaultKind("queue_stall", "Nobody comes from the queue into the batch; who runs goes on.", _SECONDS)
SMALL_CACHE = FaultKind(
    "small_cache", "Most of the KV cache is gone: 96 tokens of it are left, and a batch needs more.", _SECONDS
)
STREAM_CUT = FaultKind("stream_cut", "Streams break off after their first piece, without an end.", _ALL)
MODEL_NOT_LOADED = FaultKind("model_not_loaded", "The model is gone: requests get 503 and /ready says so.", _SECONDS)
WRONG_MODEL = FaultKind("wrong_model", "Another model name is served: requests for the right one get 404.", _SECONDS)
WRONG_ANSWERS = FaultKind("wrong_answers", "Each token is replaced by its neighbour; all else looks well.", _ALL)
CRASH = FaultKind("crash", "The process kills itself with SIGKILL, at once.", _SECONDS)
CRASH_LOOP = FaultKind(
    "crash_loop",
    "The engine dies a second after each start, until its restarts are used up and the process exits 1.",
    frozenset({"seconds", "count"}),
)
MEMORY_LEAK = FaultKind("memory_leak", "Memory grows by 16 MiB a second, up to 1 GiB; freed when it ends.", _SECONDS)
FAULTS = (
    HANG,
    SLOW_STEPS,
    ERROR,
    OOM,
    REJECT,
    QUEUE_STALL,
    SMALL_CACHE,
    STREAM_CUT,
    MODEL_NOT_LOADED,
    WRONG_MODEL,
    WRONG_ANSWERS,
    CRASH,
    CRASH_LOOP,
    MEMORY_LEAK,
)


@dataclass(frozen=True, slots=True)
class Strength:
    """How a fault acts."""

    ratio: float = 1.0
    """Share of the requests (or turns) that it hits, above 0 to 1."""
    seconds: float | None = None
    """Then it ends by itself; None for not at all."""
    count: int | None = None
    """After so many hits it ends by itself; None for not at all."""


class InvalidFaultError(ValueError):
    """A fault that does not exist or does not take what was given; the message says which."""


def kind_named(name: str) -> FaultKind:
    """The fault of that name.

    Raises:
        InvalidFaultError: There is none.
    """
    for kind in FAULTS:
        if kind.name == name:
            return kind
    raise InvalidFaultError(f"no such fault; there are {', '.join(kind.name for kind in FAULTS)}")


def from_environment(environment: Mapping[str, str]) -> list[tuple[FaultKind, Strength]]:
    """The faults that variables named INFERENCE_FAULT_<NAME> switch on, each with a JSON object or nothing in it.

    Raises:
        InvalidFaultError: Variables that name no fault or hold something else; one line for each.
    """
    found, wrong = [], []
    for variable, text in sorted(environment.items()):
        if variable.startswith(_PREFIX) and text:
            try:
                kind = kind_named(variable.removeprefix(_PREFIX).lower())
                found.append((kind, _strength(kind, json.loads(text))))
            except ValueError as error:
                wrong.append(f"{variable}: {error} (got {text!r})")
    if wrong:
        raise InvalidFaultError("\n".join(wrong))
    return found


def _strength(kind: FaultKind, given: object) -> Strength:
    if not isinstance(given, dict):
        raise InvalidFaultError("must be a JSON object, for instance {}")
    if foreign := sorted(given.keys() - kind.takes):
        raise InvalidFaultError(f"{kind.name} does not take {foreign[0]}; it takes {', '.join(sorted(kind.takes))}")
    ratio, seconds, count = given.get("ratio", 1.0), given.get("seconds"), given.get("count")
    if not (_is_number(ratio) and 0 < ratio <= 1):
        raise InvalidFaultError("ratio must be above 0 and at most 1")
    if seconds is not None and not (_is_number(seconds) and seconds > 0):
        raise InvalidFaultError("seconds must be above 0")
    if count is not None and not (isinstance(count, int) and _is_number(count) and count >= 1):
        raise InvalidFaultError("count must be a whole number, at least 1")
    return Strength(ratio, seconds, count)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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

    def is_on(self, kind: FaultKind) -> bool:
        """Whether the fault is on; counts nothing."""
        with self._changed:
            return self._current(kind) is not None

    def wait_while(self, kind: FaultKind) -> None:
        """Block this thread for as long as the fault is on."""
        with self._changed:
            while fault := self._current(kind):
                left = None if fault.until is None else max(0.0, fault.until - time.monotonic())
                self._changed.wait(left and min(left, threading.TIMEOUT_MAX))

    def _current(self, kind: FaultKind) -> ActiveFault | None:
        fault = self._active.get(kind.name)
        if fault and (fault.count == 0 or (fault.until is not None and time.monotonic() >= fault.until)):
            del self._active[kind.name]
            return None
        return fault
