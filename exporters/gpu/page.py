"""The metrics page of one collection, rendered once and served to every scrape until the next."""

import gzip
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import families

LOG = logging.getLogger(__name__)

Subject = tuple[str, Callable[[Collection], Iterator[Family]]]
"""Name (the file's, and the value of the label `collector`) and function of a collector."""


@dataclass(frozen=True, slots=True)
class Page:
    """The same samples in every form that a scraper can ask for."""

    text: bytes
    """Prometheus text format, version 0.0.4."""
    openmetrics: bytes
    """OpenMetrics 1.0.0."""
    text_gzip: bytes
    openmetrics_gzip: bytes


def render(
    source: str,
    collection: Collection | None,
    subjects: Sequence[Subject],
    clock: Callable[[], float] = time.perf_counter,
) -> Page:
    """The page of this collection; before the first one, only where the readings will come from.

    A subject that fails costs its own metrics and says so in `gpu_scrape_collector_success`.

    Args:
        source: `nvml` or `simulated`.
        collection: What was found.
        subjects: Name and function of each collector.
        clock: Seconds that never go back.
    """
    found = list(families(gpu.SOURCE_INFO, [((source,), 1.0)]))
    if collection is not None:
        found += _everything(collection, subjects, clock)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(found))
    text = generate_latest(registry)
    open_text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return Page(text, open_text, gzip.compress(text, 1), gzip.compress(open_text, 1))


def _everything(collection: Collection, subjects: Sequence[Subject], clock: Callable[[], float]) -> Iterator[Family]:
    success: dict[str, bool] = {}
    durations: dict[str, float] = {}
    for name, collect in subjects:
        started = clock()
        try:
            of_subject = list(collect(collection))
        except Exception:  # whatever is wrong with one subject, the others are still exact
            LOG.exception("collector %s failed; its metrics are missing", name)
            of_subject = []
            success[name] = False
        else:
            success[name] = True
        durations[name] = clock() - started
        yield from of_subject
    yield from families(gpu.DRIVER_UP, [((), float(collection.driver_error is None))])
    yield from families(gpu.COLLECTION_TIMESTAMP, [((), collection.ended_at)])
    yield from families(gpu.COLLECTION_DURATION, [((), collection.duration_seconds)])
    yield from families(gpu.COLLECTOR_SUCCESS, (((name,), float(worked)) for name, worked in success.items()))
    yield from families(gpu.COLLECTOR_DURATION, (((name,), seconds) for name, seconds in durations.items()))


class _Found:
    """What prometheus-client takes for a collector: families that exist already."""

    def __init__(self, found: Sequence[Family]) -> None:
        self._found = found

    def collect(self) -> Sequence[Family]:
        return self._found
