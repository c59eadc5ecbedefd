"""Temperatures, and how far the hardware is from acting on them."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Degrees Celsius; memory temperature only on cards with HBM."""
    readings = collection.readings
    yield from per_gpu(gpu.TEMPERATURE, readings, lambda reading: reading.thermals.gpu_celsius)
    yield from per_gpu(gpu.MEMORY_TEMPERATURE, readings, lambda reading: reading.thermals.memory_celsius)
    yield from per_gpu(gpu.TEMPERATURE_MARGIN, readings, lambda reading: reading.thermals.margin_celsius)
    yield from per_gpu(gpu.SLOWDOWN_TEMPERATURE, readings, lambda reading: reading.thermals.slowdown_celsius)
    yield from per_gpu(gpu.SHUTDOWN_TEMPERATURE, readings, lambda reading: reading.thermals.shutdown_celsius)
