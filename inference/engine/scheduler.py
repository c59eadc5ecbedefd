"""Who is in the batch and who waits: first come, first served.

Every method takes the lock for a moment and never during a model step, so the event loop may call them at any
time, also while the engine is stuck.
"""

import threading
from collections import deque
from dataclasses import dataclass

from inference.engine.generation import Generation

_HEADROOM = 16
"""Tokens that must be free beside a newcomer, where others run: who fits exactly would be preempted at once."""


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
    """The queue and the rows of the batch. Row numbers are slots of the KV cache.

    Rows that decode come first; at most one row is still being read, and it is the last one. So a decode step works
    on the first rows and a prompt can be read in pieces.

    Args:
        slots: Rows, at most.
        queue_limit: Requests that may wait for a slot, at most.
    """

    def __init__(self, slots: int, queue_limit: int) -> None:
        self._slots = slots
        self._queue_limit = queue_limit
        self._kv_held = self._kv_tokens = 0
        self._waiting: deque[Generation] = deque()
        self._rows: list[Generation] = []
        self._admitted: list[Generation] = []
        """Everyone in the batch, the longest there first."""
        self._closed = True
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

    @property
    def kv_used_tokens(self) -> int:
        """Tokens in the KV cache."""
        with self._changed:
            return sum(row.cached for row in self._rows)

    @property
    def kv_tokens(self) -> int:
        """Tokens that the KV cache holds."""
        with self._changed:
            return self._kv_tokens

    def open(self, kv_tokens: int) -> None:
        """Let requests in.

        Args:
            kv_tokens: What the KV cache holds, over all slots; no less than one slot's.
        """
        with self._changed:
            self._kv_held = self._kv_tokens = kv_tokens
            self._closed = False

    def limit(self, kv_tokens: int | None) -> None:
        """Use so many tokens of the KV cache at most, or all that there are."""
        with self._changed:
            self._kv_tokens = self._kv_held if kv_tokens is None else min(kv_tokens, self._kv_held)

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

    def wait_for_work(self, seconds: float) -> bool:
        """Block until there is something to do, at most so long; whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._waiting or self._rows), seconds)

    def admit(self) -> Generation | None:
        """Move the first of the queue into the batch, as its last row.

        None where nobody waits, no slot or no room in the cache is left, or another is still being read.
        """
        with self._changed:
            if not self._waiting or len(self._rows) >= self._slots or self._read_last():
                return None
            if self._rows and self._needed() + self._waiting[0].length + _HEADROOM > self._kv_tokens:
                return None
            generation = self._waiting.popleft()
            self._rows.append(generation)
            self._admitted.append(generation)
            return generation

    def retire(self, generation: Generation) -> list[Move]:
        """Take a request out of the batch; the moves that close the gap, which the caller must do in the cache too."""
        with self._changed:
            return self._remove(generation)

    def preempt(self) -> tuple[Generation, list[Move]] | None:
        """Put whoever came last back to the front of the queue, where one more step would overflow the cache."""
        with self._changed:
            if self._needed() <= self._kv_tokens or len(self._rows) < 2:
                return None
            victim = self._admitted[-1]
            moves = self._remove(victim)
            self._waiting.appendleft(victim)
            return victim, moves

    def close(self) -> list[Generation]:
        """Empty queue and batch and let nobody in until `open`; everyone who was in them."""
        with self._changed:
            self._closed = True
            everyone = [*self._rows, *self._waiting]
            for requests in (self._rows, self._admitted, self._waiting):
                requests.clear()
            return everyone

    def _needed(self) -> int:
        """Tokens in the cache after the next step, and after all of a prompt that is being read."""
        return sum(row.length for row in self._rows)

    def _read_last(self) -> bool:
        return bool(self._rows) and self._rows[-1].reading

    def _remove(self, generation: Generation) -> list[Move]:
        hole, moves = self._rows.index(generation), []
        self._admitted.remove(generation)
        # The last row that decodes fills the hole, and the row that is being read follows into its place.
        for source in (len(self._rows) - 1 - self._read_last(), len(self._rows) - 1):
            if hole < source:
                self._rows[hole] = self._rows[source]
                moves.append(Move(source, hole))
                hole = source
        self._rows.pop()
        return moves
