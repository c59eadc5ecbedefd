"""How many spare rows the banks of device memory have left; optional."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Banks by level."""
    yield from per_gpu_and(gpu_health.REMAP_BANKS, collection.readings, lambda reading: reading.row_histogram.banks)
