"""What the faults do inside the engine: they stand in the places that engine/disturbances.py names."""

import logging
import os
import signal
import time

import torch

from inference.faults import (
    CRASH,
    CRASH_LOOP,
    HANG,
    MEMORY_LEAK,
    MODEL_NOT_LOADED,
    OOM,
    QUEUE_STALL,
    SLOW_STEPS,
    SMALL_CACHE,
    WRONG_ANSWERS,
    Faults,
)

_log = logging.getLogger(__name__)

SLOW_STEP_SECONDS = 0.25
"""Ten tokens then take as long as any objective for a stream would let a hundred take."""
SMALL_CACHE_TOKENS = 96
"""Three answers of a sentence: the next in the batch takes the place of another."""
_CRASH_SECONDS = 0.2
"""So that whoever switched the crash on still gets an answer."""
_LIFE_SECONDS = 1.0
"""How long an engine in a crash loop lives: time enough to be seen as ready."""
_LEAK_BYTES_PER_SECOND = 16 << 20
_LEAK_LIMIT_BYTES = 1 << 30


class InjectedCrashError(Exception):
    """Ends the engine because somebody asked for it."""


class FaultyEngine:
    """The faults as an engine meets them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._loaded = 0.0
        self._leak: list[bytearray] = []
        self._leaking_since: float | None = None

    def loading(self) -> None:
        """Wait while the model is not to be loaded."""
        self._faults.wait_while(MODEL_NOT_LOADED)
        self._loaded = time.monotonic()

    def turning(self, *, busy: bool) -> None:
        """Hang, crash, slow down or leak."""
        self._faults.wait_while(HANG)
        if self._faults.strikes(CRASH):
            _log.error("killing this process, as the fault API was told to")
            time.sleep(_CRASH_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)
        if time.monotonic() - self._loaded > _LIFE_SECONDS and self._faults.strikes(CRASH_LOOP):
            raise InjectedCrashError("the fault crash_loop is on")
        if busy and self._faults.strikes(SLOW_STEPS):
            time.sleep(SLOW_STEP_SECONDS)
        self._leak_memory()

    def keeps_model(self) -> bool:
        """Whether nobody took the model away."""
        return not self._faults.is_on(MODEL_NOT_LOADED)

    def admits(self) -> bool:
        """Whether the queue moves."""
        return not self._faults.is_on(QUEUE_STALL)

    def cache_tokens(self) -> int | None:
        """What is left of the KV cache."""
        return SMALL_CACHE_TOKENS if self._faults.is_on(SMALL_CACHE) else None

    def reading(self) -> None:
        """Run out of memory."""
        if self._faults.strikes(OOM):
            raise torch.OutOfMemoryError("the fault oom is on")

    def misleads(self) -> bool:
        """Whether this request gets wrong tokens."""
        return self._faults.strikes(WRONG_ANSWERS)

    def _leak_memory(self) -> None:
        if not self._faults.is_on(MEMORY_LEAK):
            self._leak.clear()
            self._leaking_since = None
            return
        now = time.monotonic()
        self._leaking_since = self._leaking_since or now
        wanted = min(_LEAK_LIMIT_BYTES, int((now - self._leaking_since) * _LEAK_BYTES_PER_SECOND))
        missing = wanted - sum(map(len, self._leak))
        if missing > 0:
            # Ones, because pages of zeros are not resident until somebody writes to them.
            self._leak.append(bytearray(b"\1") * missing)
