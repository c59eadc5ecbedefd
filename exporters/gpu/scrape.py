"""The loop: collect, render, keep the newest page. Scrapes read the page and never wait for the driver."""

import logging
import threading
import time
from collections.abc import Callable

from exporters.gpu.collection import Collection
from exporters.gpu.collector import Collector
from exporters.gpu.page import Page

LOG = logging.getLogger(__name__)

STALE_INTERVALS = 3
"""After so many intervals without a finished collection the exporter calls itself unhealthy."""


class ScrapeLoop:
    """A thread that collects every interval and holds the newest page.

    Args:
        draw: Makes the page of a collection, or the one before the first.
        collector: What is asked.
        interval_seconds: From the start of one collection to the start of the next.
        ended: Called when the loop ends, whether it was asked to or not.
        complete: Adds to a collection what is known besides.
    """

    def __init__(
        self,
        draw: Callable[[Collection | None], Page],
        collector: Collector,
        interval_seconds: float,
        ended: Callable[[], None],
        complete: Callable[[Collection], Collection] = lambda collection: collection,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._draw = draw
        self._collector = collector
        self._ended = ended
        self._complete = complete
        self._newest: tuple[Page, float | None] = (draw(None), None)
        self._stopped = threading.Event()
        # A driver call that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="collect", daemon=True)

    def start(self) -> None:
        """Begin to collect, at once."""
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Publish no more pages; waits no longer than this for a collection under way."""
        self._stopped.set()
        self._thread.join(timeout_seconds)

    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def page(self) -> Page:
        """The page of the newest finished collection."""
        return self._newest[0]

    def trouble(self) -> str | None:
        """Why the page is not to be trusted, in one sentence; None where all is well."""
        finished_at = self._newest[1]
        if finished_at is None:
            return "no collection has finished yet"
        age = time.monotonic() - finished_at
        if age < STALE_INTERVALS * self.interval_seconds:
            return None
        return f"the last collection finished {age:.0f} s ago, at an interval of {self.interval_seconds:g} s"

    def _run(self) -> None:
        try:
            self._collect_and_wait()
        finally:
            self._ended()

    def _collect_and_wait(self) -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            page = self._draw(self._complete(self._collector.collect()))
            page.prepare(self.page())
            if self._stopped.is_set():
                return  # its processes may be ended already: GPUs that do not answer for that are not to be reported
            self._newest = (page, time.monotonic())
            # After the page is out: a sick GPU may hang again, and no other is to wait for it.
            self._collector.retry()
            now = time.monotonic()
            # A collection that took too long skips its missed turns instead of chasing them.
            due = max(due + self.interval_seconds, now)
            self._stopped.wait(due - now)
