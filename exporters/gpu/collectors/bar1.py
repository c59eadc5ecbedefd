"""The window through which the host reaches device memory; optional."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Bytes."""
    yield from per_gpu(gpu_use.BAR1_TOTAL, collection.readings, lambda reading: reading.bar1.total_bytes)
    yield from per_gpu(gpu_use.BAR1_USED, collection.readings, lambda reading: reading.bar1.used_bytes)
