"""From one collection to metric families: one file per subject, every one of them in `COLLECTORS`."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.gpu.collection import Collection
from exporters.gpu.collectors import health, memory, power, thermals, up, utilization, xid

COLLECTORS: tuple[tuple[str, Callable[[Collection], Iterator[Family]]], ...] = (
    ("up", up.collect),
    ("health", health.collect),
    ("xid", xid.collect),
    ("memory", memory.collect),
    ("utilization", utilization.collect),
    ("thermals", thermals.collect),
    ("power", power.collect),
)
"""Name (the file's, and the value of the label `collector`) and function, in the order of the page."""
