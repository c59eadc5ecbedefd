"""Device memory."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Total, used, free and reserved memory, in bytes."""
    readings = collection.readings
    yield from per_gpu(gpu.MEMORY_TOTAL, readings, lambda reading: reading.memory.total_bytes)
    yield from per_gpu(gpu.MEMORY_USED, readings, lambda reading: reading.memory.used_bytes)
    yield from per_gpu(gpu.MEMORY_FREE, readings, lambda reading: reading.memory.free_bytes)
    yield from per_gpu(gpu.MEMORY_RESERVED, readings, lambda reading: reading.memory.reserved_bytes)
