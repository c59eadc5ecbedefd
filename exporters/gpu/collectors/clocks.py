"""Clock rates and the performance state."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Hertz by clock domain, now and at most; performance state; whether the driver stays loaded."""
    readings = collection.readings
    yield from per_gpu_and(gpu_use.CLOCK, readings, lambda reading: reading.clocks.now_hertz)
    yield from per_gpu_and(gpu_use.CLOCK_MAX, readings, lambda reading: reading.clocks.max_hertz)
    yield from per_gpu(gpu_use.PERFORMANCE_STATE, readings, lambda reading: reading.clocks.performance_state)
    yield from per_gpu(gpu_use.PERSISTENCE, readings, lambda reading: reading.clocks.persistence)
