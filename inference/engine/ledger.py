"""Where the engine's time goes, so that a long gap between two tokens can be explained."""

import gc
import time
from collections import defaultdict

from inference.engine.generation import GapReason


class CollectionClock:
    """Time that Python's garbage collector has taken since `start`, in whatever thread."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def start(self) -> None:
        """Listen to the collector."""
        gc.callbacks.append(self._heard)

    def stop(self) -> None:
        """Listen no more."""
        gc.callbacks.remove(self._heard)

    def _heard(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.monotonic()
        else:
            self.seconds += time.monotonic() - self._began


class Ledger:
    """What the time since the last decode step was spent on, lap by lap."""

    def __init__(self, collections: CollectionClock) -> None:
        self._collections = collections
        self._laps: list[tuple[float, GapReason, float]] = []
        self._lapped = time.monotonic()
        self._collected = collections.seconds

    def lap(self, reason: GapReason) -> None:
        """Book the time since the last lap."""
        now, collected = time.monotonic(), self._collections.seconds
        pause = min(collected - self._collected, now - self._lapped)
        self._laps.append((now, reason, now - self._lapped - pause))
        if pause:
            self._laps.append((now, GapReason.GC, pause))
        self._lapped, self._collected = now, collected

    def reason_since(self, moment: float) -> GapReason:
        """What most of the time since `moment` was spent on; laps that ended before it do not count."""
        spent: defaultdict[GapReason, float] = defaultdict(float)
        for ended, reason, seconds in self._laps:
            if ended > moment:
                spent[reason] += seconds
        return max(spent, key=spent.__getitem__, default=GapReason.OUTSIDE)

    def clear(self) -> None:
        """Forget the laps: all that follow belong to the next token."""
        self._laps.clear()
