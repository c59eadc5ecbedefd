"""NVML's XID events, heard by a child of their own: collections that hang, and their ends, cost no event."""

import logging
import threading
import time
from collections.abc import Callable

from exporters.gpu.devices.errors import DeviceError
from exporters.gpu.devices.events import XidSeen
from exporters.gpu.isolation.backoff import Backoff
from exporters.gpu.isolation.process import Child
from exporters.gpu.xid.tally import Tally

LOG = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 0.1


class XidWatcher:
    """A thread that keeps a listening child, and starts another one when it dies or falls silent.

    Args:
        start: Starts a child that watches.
        answering: Indices of the GPUs that answered the last collection, None before the first. Only these are
            listened to: touching one that hangs would cost the child.
        tally: Told of every XID, and of every sign of life.
        silence_seconds: A child that gives no sign of life for so long is replaced.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        answering: Callable[[], frozenset[int] | None],
        tally: Tally,
        silence_seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._start = start
        self._answering = answering
        self._tally = tally
        self._silence_seconds = silence_seconds
        self._wall = wall
        self._backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="xid watcher", daemon=True)
        self._child: Child | None = None
        self._left_behind: list[Child] = []
        self.starts = 0
        """Children started so far."""
        self.kills = 0
        """Children killed because they fell silent."""

    def start(self) -> None:
        """Begin to listen, as soon as a collection has found GPUs."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        if (child := self._child) is not None:
            child.kill()
        self._thread.join(1.0)

    def abandoned(self) -> int:
        """Children that even SIGKILL has not ended yet."""
        self._left_behind = [child for child in self._left_behind if child.alive()]
        return len(self._left_behind)

    def _run(self) -> None:
        said = ""
        while not self._stopped.is_set():
            if not self._answering() or self.abandoned():
                self._stopped.wait(_ASK_AGAIN_SECONDS)
                continue
            reason = self._listen()
            if self._stopped.is_set():
                return
            if reason != said:
                LOG.warning("listening for XIDs broke off, starting anew: %s", reason)
            said = reason
            self._stopped.wait(self._backoff.next())

    def _listen(self) -> str:
        """Hear one child out; returns why it has to be replaced."""
        try:
            child = self._child = self._start()
        except OSError as error:
            return f"cannot start a process: {error}"
        self.starts += 1
        try:
            return self._hear(child)
        except (EOFError, OSError):
            return f"its process ended with status {child.exit_status()}"
        finally:
            self._child = None
            if not child.end():
                self._left_behind.append(child)

    def _hear(self, child: Child) -> str:
        told: frozenset[int] = frozenset()
        while not self._stopped.is_set():
            wanted = self._answering() or frozenset()
            if wanted - told:
                child.connection.send(wanted - told)
            told = wanted
            if not child.connection.poll(self._silence_seconds):
                self.kills += 1
                return (
                    f"no sign of life in {self._silence_seconds:g} s, at {child.progress.where().call or 'its start'}"
                )
            found = child.connection.recv()
            if isinstance(found, DeviceError):
                return str(found)
            self._tally.watcher_alive(self._wall())
            self._backoff.reset()
            if isinstance(found, XidSeen):
                self._tally.xid("nvml", found.pci_bus_id, found.xid, self._wall())
        return "asked to"
