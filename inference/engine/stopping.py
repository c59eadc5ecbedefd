"""Stop strings: end an answer before the first of them, though they arrive in pieces."""


class StopStrings:
    """Watches one answer. Text that may be the beginning of a stop string is held back until that is known."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self.met = False
        """Whether a stop string has been seen; what follows is not of interest."""
        self._stops = stops
        self._held = ""

    def push(self, text: str) -> str:
        """Add text; what may be shown of it and of what was held back."""
        self._held += text
        found = [position for stop in self._stops if (position := self._held.find(stop)) >= 0]
        if found:
            self.met = True
            return self._take(min(found))
        return self._take(len(self._held) - self._undecided())

    def flush(self) -> str:
        """What was held back, now that nothing follows."""
        return self._take(len(self._held))

    def _undecided(self) -> int:
        """Length of the longest tail that begins a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0

    def _take(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text
