"""Who is in the batch and who waits: first come, first served.

Every method takes the lock for a moment and never during a model step, so the event loop may call them at any
time, also while the engine is stuck.
"""

import threading
from collections import deque
from dataclasses import dataclass

from inference.engine.generation import Generation


class QueueFullError(Exception):
    """As many requests wait as may wait; try again later."""


class QueueClosedError(Exception):
    """The engine has ended; nobody would ever take the request."""


@dataclass(frozen=True, slots=True)
class Move:
    """A sequence must go from one slot to another, because rows may have no hole."""

    source: int
    target: int


class Scheduler:
    """The queue and the rows of the batch. Row numbers are slots of the KV cache."""

    def __init__(self, slots: int, queue_limit: int) -> None:
        self._slots = slots
        self._queue_limit = queue_limit
        self._waiting: deque[Generation] = deque()
        self._rows: list[Generation] = []
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        with self._changed:
            return len(self._waiting)

    @property
    def rows(self) -> tuple[Generation, ...]:
        """The batch, in row order."""
        with self._changed:
            return tuple(self._rows)

    def enqueue(self, generation: Generation) -> None:
        """Put a request at the end of the queue.

        Raises:
            QueueFullError: The queue is at its limit.
            QueueClosedError: The engine has ended.
        """
        with self._changed:
            if self._closed:
                raise QueueClosedError
            # Not the queue's length alone: a burst into free slots waits only until the next turn.
            if len(self._waiting) + len(self._rows) >= self._slots + self._queue_limit:
                raise QueueFullError
            self._waiting.append(generation)
            self._changed.notify()

    def cancel(self, generation: Generation) -> None:
        """Take a request out: from the queue at once, from the batch before its next step. Harmless at any time."""
        with self._changed:
            generation.cancelled = True
            if generation in self._waiting:
                self._waiting.remove(generation)

    def wait_for_work(self, seconds: float) -> None:
        """Block until there is something to do, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting or self._rows), seconds)

    def admit(self) -> tuple[int, Generation] | None:
        """Move the first of the queue into the batch; its row and itself. None where no slot or nobody is left."""
        with self._changed:
            if not self._waiting or len(self._rows) >= self._slots:
                return None
            self._rows.append(self._waiting.popleft())
            return len(self._rows) - 1, self._rows[-1]

    def retire(self, generation: Generation) -> Move | None:
        """Take a request out of the batch; the last row fills its place, which the caller must do in the cache too."""
        with self._changed:
            row = self._rows.index(generation)
            last = self._rows.pop()
            if last is generation:
                return None
            self._rows[row] = last
            return Move(len(self._rows), row)

    def close(self) -> list[Generation]:
        """Empty queue and batch and let nobody in any more; everyone who was in them."""
        with self._changed:
            self._closed = True
            everyone = [*self._rows, *self._waiting]
            self._rows.clear()
            self._waiting.clear()
            return everyone
