"""Users that a drill brings along: completions over HTTP, beside the prober's, from its fault to its end."""

import threading
import time
from dataclasses import dataclass, field

import httpx

from alerts.drills.calls import call
from alerts.drills.stack import Stack

_SECONDS = 10
_LONGEST_SECONDS = 3600.0
"""It ends by itself where a drill was interrupted before it could be mended, and with the process in any case."""


@dataclass(slots=True)
class Traffic:
    """Clients that each send one short completion after the other. One drill at a time starts it and stops it."""

    clients: int
    max_tokens: int
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, stack: Stack) -> None:
        """Begin, in threads. Raises httpx.HTTPError where the service does not name its model."""
        self.stop()
        self._stopped.clear()
        base = stack.url("inference")
        body, end = _body(base, self.max_tokens), time.monotonic() + _LONGEST_SECONDS

        def ask() -> None:
            with httpx.Client(base_url=base, timeout=_SECONDS, trust_env=False) as client:
                while not self._stopped.is_set() and time.monotonic() < end:
                    try:
                        client.post("/v1/completions", json=body)
                    except httpx.HTTPError:
                        self._stopped.wait(1)  # as a user who tries again

        self._threads = [threading.Thread(target=ask, name="traffic", daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more, and return once every answer is there; harmless where it is not on."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(2 * _SECONDS)
        self._threads = []


def send(stack: Stack, count: int) -> None:
    """Send so many completions of one token, one after the other; whether they succeed is no matter.

    Raises:
        httpx.HTTPError: If the service does not answer.
    """
    base = stack.url("inference")
    body = _body(base, max_tokens=1)
    with httpx.Client(base_url=base, timeout=_SECONDS, trust_env=False) as client:
        for _ in range(count):
            client.post("/v1/completions", json=body)


def _body(base: str, max_tokens: int) -> dict[str, object]:
    model = call("GET", f"{base}/v1/models")["data"][0]["id"]
    return {"model": model, "prompt": "1", "max_tokens": max_tokens}
