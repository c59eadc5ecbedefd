"""Sweeps in a child that is watched: a GPU whose call never returns costs the child and that GPU, nothing else."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporters.gpu.devices.errors import DriverError
from exporters.gpu.isolation.backoff import Backoff
from exporters.gpu.isolation.process import Child
from exporters.gpu.sweep import Answered, DeviceHung, Done, DriverHung, Finding, Listed, Refused

LOG = logging.getLogger(__name__)

_PATIENCE_FACTOR = 5
"""So many times the timeout is allowed where slowness is no sign of a hang."""
_LONGEST_PAUSE_SECONDS = 30.0


class _ChildGoneError(Exception):
    """The child is stuck or dead; the message says which, and where it was."""

    def __init__(self, index: int | None, message: str, *, stuck: bool) -> None:
        super().__init__(message)
        self.index = index
        self.stuck = stuck


@dataclass(slots=True)
class ReaderCost:
    """What became of the children so far."""

    restarts: int = 0
    """Children started in place of an earlier one."""
    kills: int = 0
    """Children killed because a call did not return."""
    abandoned: int = 0
    """Children that even SIGKILL has not ended yet."""


class ChildReader:
    """A `Sweep` in a child, which is replaced when it hangs, dies or says that the driver failed.

    Args:
        start: Starts a child that reads.
        call_timeout: Seconds that one GPU may take. Five times as long for the driver's own start, for the first
            reading of a GPU, which may have to wake it up, and where the child is merely short of processor time.
        pause_seconds: From one driver error to the next attempt; doubles up to 30 s.
        clock: Seconds that never go back, as those of `Progress`.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        call_timeout: float,
        pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._call_timeout = call_timeout
        self._clock = clock
        self._backoff = Backoff(pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._paused_until = 0.0
        self._last_error: DriverError | None = None
        self._child: Child | None = None
        self._awake: set[int] = set()
        self._abandoned: list[tuple[Child, int | None]] = []
        self._starts = self._kills = 0
        self._closed = False

    def sweep(self, skip: frozenset[int]) -> Iterator[Finding]:
        """Ask every GPU once, those to skip excepted; a GPU that hangs is refused with `DeviceHung`.

        Raises:
            DriverError: No GPU can be read, or the pause after such an error is not over.
        """
        if self._last_error is not None and self._clock() < self._paused_until:
            raise self._last_error
        try:
            yield from self._sweep(set(skip))
        except DriverError as error:
            self._drop()
            self._awake.clear()
            self._last_error, self._paused_until = error, self._clock() + self._backoff.next()
            raise
        self._last_error = None
        self._backoff.reset()

    def cost(self) -> ReaderCost:
        """What became of the children so far."""
        self._abandoned = [(child, index) for child, index in self._abandoned if child.alive()]
        return ReaderCost(max(0, self._starts - 1), self._kills, len(self._abandoned))

    def close(self) -> None:
        """End the child, also one that another thread waits for, and start none again."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()
            child.exit_status()

    def _sweep(self, done: set[int]) -> Iterator[Finding]:
        yield from self._still_stuck(done)
        listed = answered = False
        hung = 0
        while True:
            try:
                for finding in self._ask(frozenset(done)):
                    if isinstance(finding, Listed) and listed:
                        continue
                    listed = True
                    if isinstance(finding, Answered):
                        answered = True
                        done.add(finding.reading.identity.index)
                    elif isinstance(finding, Refused):
                        done.add(finding.index)
                    yield finding
                return
            except _ChildGoneError as gone:
                self._drop(gone)
                if gone.index is None:
                    raise DriverHung(str(gone)) from gone
                hung += 1
                done.add(gone.index)
                # It has had its long first chance.
                self._awake.add(gone.index)
                yield Refused(gone.index, DeviceHung(str(gone)))
                if hung > 1 and not answered:
                    raise DriverHung(f"no GPU answers; the last one: {gone}") from gone

    def _still_stuck(self, done: set[int]) -> Iterator[Finding]:
        """Refuse what an abandoned child is still inside of: another one would only follow it there."""
        self.cost()
        for child, index in self._abandoned:
            message = f"process {child.pid} is still inside a driver call and cannot be killed"
            if index is None:
                raise DriverHung(message)
            if index not in done:
                done.add(index)
                yield Refused(index, DeviceHung(f"GPU {index}: {message}"))

    def _ask(self, skip: frozenset[int]) -> Iterator[Finding]:
        child = self._running()
        try:
            child.connection.send(skip)
        except OSError as error:
            raise self._died(child) from error
        asked_at = self._clock()
        while not isinstance(found := self._receive(child, asked_at), Done):
            if isinstance(found, DriverError):
                raise found
            assert isinstance(found, Finding)
            if isinstance(found, Answered):
                self._awake.add(found.reading.identity.index)
            yield found

    def _receive(self, child: Child, asked_at: float) -> object:
        wait = self._call_timeout
        while not child.connection.poll(wait):
            where = child.progress.where()
            patience = self._call_timeout * (_PATIENCE_FACTOR if where.index not in self._awake else 1)
            taken = self._clock() - max(where.since, asked_at)
            if taken >= patience and not (child.runs() and taken < self._call_timeout * _PATIENCE_FACTOR):
                whom = "the driver" if where.index is None else f"GPU {where.index}"
                raise _ChildGoneError(
                    where.index, f"{whom} did not answer in {taken:.1f} s, at {where.call or 'its start'}", stuck=True
                )
            wait = max(patience - taken, 0.1 * self._call_timeout)
        try:
            return child.connection.recv()
        except (EOFError, OSError) as error:
            raise self._died(child) from error

    def _died(self, child: Child) -> _ChildGoneError:
        where = child.progress.where()
        whom = "the driver" if where.index is None else f"GPU {where.index}"
        status = child.exit_status()
        return _ChildGoneError(
            where.index, f"{whom}: the reading process ended with status {status}, at {where.call}", stuck=False
        )

    def _running(self) -> Child:
        if self._child is None:
            if self._closed:
                raise DriverHung("the exporter is ending")
            try:
                self._child = self._start()
            except OSError as error:
                raise DriverHung(f"cannot start a process to read the driver: {error}") from error
            self._starts += 1
        return self._child

    def _drop(self, gone: _ChildGoneError | None = None) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        self._kills += gone is not None and gone.stuck
        if not child.end():
            LOG.error("process %d does not end, not even by SIGKILL; it is left behind in a driver call", child.pid)
            self._abandoned.append((child, None if gone is None else gone.index))
