"""How busy the GPU and its memory are."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Shares of the driver's last sample period, 0 to 1; absent on a GPU that is split by MIG."""
    readings = collection.readings
    yield from per_gpu(gpu.UTILIZATION, readings, lambda reading: reading.utilization.gpu_ratio)
    yield from per_gpu(gpu.MEMORY_UTILIZATION, readings, lambda reading: reading.utilization.memory_ratio)
