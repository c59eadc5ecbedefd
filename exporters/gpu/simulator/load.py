"""Where the simulated GPUs get their load from: the inference service's own metrics, or a wave.

Knows the service by its metric names only. A service that does not answer is an idle machine, not an error.
"""

import logging
import math
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporters.catalogue import llm
from exporters.gpu.simulator.gpu import IDLE, Load

LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_TIMEOUT_SECONDS = 2.0
_LARGEST_PAGE_BYTES = 4 * 2**20
_WAVE_SECONDS = 300.0
_WAVE_REQUESTS = 8.0

# No proxies: the service is a neighbour, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class LoadUnreadableError(Exception):
    """The service did not answer, or not with metrics; the message says which."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the service's page says now, summed over its models."""

    requests_running: float
    generated_tokens: float
    """Counted since the service started."""
    model_loaded: bool


def fetch(url: str) -> Counts:
    """Scrape the service once.

    Raises:
        LoadUnreadableError: It does not answer in time, or its page cannot be read.
    """
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_SECONDS) as response:
            page = response.read(_LARGEST_PAGE_BYTES).decode()
            return parse(page, response.headers.get("Content-Type", ""))
    except (OSError, HTTPException, ValueError) as error:
        raise LoadUnreadableError(f"{url}: {error}") from error


def parse(page: str, content_type: str) -> Counts:
    """Read a metrics page, in Prometheus's text format or OpenMetrics. Raises ValueError where it is neither."""
    families: Iterable[Metric]
    if content_type.startswith("application/openmetrics-text"):
        families = openmetrics.text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    else:
        families = text_string_to_metric_families(page)
    sums = dict.fromkeys((llm.RUNNING.name, llm.GENERATED_TOKENS.name, llm.MODEL_LOADED.name), 0.0)
    for family in families:
        for sample in family.samples:
            if sample.name in sums and math.isfinite(sample.value):
                sums[sample.name] += sample.value
    return Counts(sums[llm.RUNNING.name], sums[llm.GENERATED_TOKENS.name], sums[llm.MODEL_LOADED.name] > 0)


def between(before: Counts | None, now: Counts, seconds: float) -> Load:
    """The load that two looks at the service amount to; a restarted service counts from 0 again."""
    made = 0.0 if before is None else max(0.0, now.generated_tokens - before.generated_tokens)
    rate = made / seconds if seconds > 0 else 0.0
    return Load(now.requests_running, rate, now.model_loaded)


def wave(seconds: float) -> Load:
    """A load of its own: from nothing to busy and back in five minutes."""
    height = (1 - math.cos(2 * math.pi * seconds / _WAVE_SECONDS)) / 2
    return Load(_WAVE_REQUESTS * height, 0.0, True)


class LoadWatcher:
    """A thread that looks every second and hands on what it sees.

    Args:
        url: The service's metrics page; empty for the wave.
        offer: Called with each load.
    """

    def __init__(self, url: str, offer: Callable[[Load], None]) -> None:
        self._url = url
        self._offer = offer
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns once the thread has ended or its request has had time to."""
        self._stopped.set()
        self._thread.join(_TIMEOUT_SECONDS + _EVERY_SECONDS)

    def _run(self) -> None:
        for load in self._service() if self._url else self._wave():
            self._offer(load)
            if self._stopped.wait(_EVERY_SECONDS):
                return

    def _wave(self) -> Iterator[Load]:
        started = time.monotonic()
        while True:
            yield wave(time.monotonic() - started)

    def _service(self) -> Iterator[Load]:
        before: Counts | None = None
        looked_at = time.monotonic()
        reachable: bool | None = None
        while True:
            now = time.monotonic()
            counts = self._look()
            if (counts is not None) != reachable:
                reachable = counts is not None
                LOG.info("simulated load: %s %s", self._url, "answers" if reachable else "does not answer: idle")
            yield IDLE if counts is None else between(before, counts, now - looked_at)
            before, looked_at = counts, now

    def _look(self) -> Counts | None:
        try:
            return fetch(self._url)
        except LoadUnreadableError:
            return None
