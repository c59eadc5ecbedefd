"""The metrics page of one collection, rendered once and served to every scrape until the next."""

import gzip
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.exposition import ALLOWUTF8

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import families

LOG = logging.getLogger(__name__)

Subject = tuple[str, Callable[[Collection], Iterator[Family]]]
"""Name (the file's, and the value of the label `collector`) and function of a collector."""


_Drawn = tuple[Family, bytes]


class Page:
    """The same samples in every form that a scraper can ask for, each made when it is first asked for.

    Args:
        found: The samples.
    """

    def __init__(self, found: Sequence[Family]) -> None:
        self._found = found
        self._drawn: dict[str, dict[str, _Drawn]] = {}
        self._pages_since_asked: dict[str, int] = {}

    @cached_property
    def text(self) -> bytes:
        """Prometheus text format, version 0.0.4."""
        return self._draw("text")

    @cached_property
    def openmetrics(self) -> bytes:
        """OpenMetrics 1.0.0."""
        return self._draw("openmetrics") + _END_OF_OPENMETRICS

    @cached_property
    def text_gzip(self) -> bytes:
        """The text format, compressed."""
        return gzip.compress(self.text, 1)

    @cached_property
    def openmetrics_gzip(self) -> bytes:
        """OpenMetrics, compressed."""
        return gzip.compress(self.openmetrics, 1)

    def form(self, name: str) -> bytes:
        """One of `FORMS`, for somebody who asks; the next pages will be prepared in it."""
        self._pages_since_asked[name] = 0
        found: bytes = getattr(self, name)
        return found

    def prepare(self, before: "Page") -> None:
        """Make the forms that the last pages were asked for: scrapers ask for the same again, and need not wait.

        A form that nobody asks for any more is forgotten: one look with curl must not cost a rendering for ever.
        """
        # A copy, because requests come while this runs.
        for name, pages in dict(before._pages_since_asked).items():
            if pages < REMEMBERED_PAGES:
                self._pages_since_asked.setdefault(name, pages + 1)
                self._draw(name.removesuffix("_gzip"), before)
                getattr(self, name)

    def _draw(self, syntax: str, before: "Page | None" = None) -> bytes:
        """All families in this syntax; those that are as they were in the page before are taken from there."""
        if syntax not in self._drawn:
            known = {} if before is None else before._drawn.get(syntax, {})
            drawn = {}
            for family in self._found:
                old = known.get(family.name)
                if old is None or old[0] != family:
                    old = (family, _SYNTAXES[syntax](family))
                drawn[family.name] = old
            self._drawn[syntax] = drawn
        return b"".join(text for _, text in self._drawn[syntax].values())


FORMS = ("text", "openmetrics", "text_gzip", "openmetrics_gzip")
"""Names of the properties of a page."""

REMEMBERED_PAGES = 12
"""Pages that are made in a form after the last request for it: a minute's, at the default interval."""


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
    return Page(found)


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
    """What prometheus-client takes for a registry: a family that exists already."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Sequence[Family]:
        return (self._family,)


def _text(family: Family) -> bytes:
    return generate_latest(_Found(family))


def _openmetrics(family: Family) -> bytes:
    # Names of ours need no escaping; to be sure of it, the other schemes look at every letter.
    found: bytes = openmetrics.generate_latest(_Found(family), ALLOWUTF8)  # type: ignore[no-untyped-call]
    return found.removesuffix(_END_OF_OPENMETRICS)


_END_OF_OPENMETRICS = b"# EOF\n"
_SYNTAXES: dict[str, Callable[[Family], bytes]] = {"text": _text, "openmetrics": _openmetrics}
