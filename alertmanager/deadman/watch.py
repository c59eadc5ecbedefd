"""When to page: the state of the heartbeat. Knows neither HTTP nor channels."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

GRACE = 2
"""Timeouts to wait for the first heartbeat: a stack that starts may be slow, one that never comes up must page."""


@dataclass(frozen=True, slots=True)
class Change:
    """The heartbeat was lost, or came back."""

    blind: bool
    """True: lost."""
    silent_for: float
    """Seconds without a heartbeat, up to now or to the one that came back."""
    last_beat: float | None
    """When the last heartbeat before the silence arrived, in seconds since the epoch; None: there never was one."""


class Watch:
    """Follows the heartbeat. Beats and checks may come from different threads."""

    def __init__(
        self,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.timeout = timeout
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()
        self._heard_from = clock()
        self._deadline = self._heard_from + GRACE * timeout
        self._last_beat: float | None = None
        self._lost: Change | None = None
        self._back: Change | None = None
        self._pages = 0

    @property
    def last_beat(self) -> float | None:
        """When the last heartbeat arrived, in seconds since the epoch; None before the first."""
        return self._last_beat

    @property
    def blind(self) -> bool:
        """Whether the heartbeat is away for too long."""
        return self._lost is not None

    @property
    def pages(self) -> int:
        """How often it was lost."""
        return self._pages

    def beat(self) -> None:
        """A heartbeat arrived."""
        with self._lock:
            now = self._clock()
            if self._lost is not None:
                self._back = Change(False, now - self._heard_from, self._lost.last_beat)
                self._lost = None
            self._heard_from, self._deadline = now, now + self.timeout
            self._last_beat = self._wall()

    def check(self) -> Change | None:
        """What has changed since the last check, once; None: nothing."""
        with self._lock:
            if self._back is not None:
                back, self._back = self._back, None
                return back
            now = self._clock()
            if self._lost is not None or now <= self._deadline:
                return None
            self._lost = Change(True, now - self._heard_from, self._last_beat)
            self._pages += 1
            return self._lost
