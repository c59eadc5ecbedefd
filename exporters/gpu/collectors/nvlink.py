"""NVLink."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health, gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Each link's state; bytes and errors of all links together."""
    readings = collection.readings
    yield from per_gpu_and(gpu_health.NVLINK_UP, readings, lambda reading: reading.nvlink.up)
    yield from per_gpu(gpu_use.NVLINK_TRANSMITTED, readings, lambda reading: reading.nvlink.transmitted_bytes)
    yield from per_gpu(gpu_use.NVLINK_RECEIVED, readings, lambda reading: reading.nvlink.received_bytes)
    yield from per_gpu_and(gpu_health.NVLINK_ERRORS, readings, lambda reading: reading.nvlink.errors)
