"""Why the clocks are held down."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """One series per reason that the card knows: whether it acts now, and for how long it has."""
    readings = collection.readings
    yield from per_gpu_and(gpu_health.CLOCK_EVENT, readings, lambda reading: reading.throttling.active)
    yield from per_gpu_and(gpu_health.THROTTLED, readings, lambda reading: reading.throttling.seconds)
