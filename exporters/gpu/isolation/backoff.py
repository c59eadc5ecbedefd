"""How long to leave something alone that fails again and again."""


class Backoff:
    """Waiting times that double up to a limit.

    Args:
        first_seconds: The first one.
        most_seconds: None is longer.
    """

    def __init__(self, first_seconds: float, most_seconds: float) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._next = first_seconds

    def next(self) -> float:
        """How long to wait now, in seconds; longer at every call."""
        now = min(self._next, self._most)
        self._next = 2 * now
        return now

    def reset(self) -> None:
        """It works again: the next failure waits shortly."""
        self._next = self._first
