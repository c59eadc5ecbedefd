"""Power, its limits, and energy."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu, gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Watts and joules of the whole board; energy is absent before Volta."""
    readings = collection.readings
    yield from per_gpu(gpu.POWER, readings, lambda reading: reading.power.draw_watts)
    yield from per_gpu(gpu.POWER_LIMIT, readings, lambda reading: reading.power.limit_watts)
    yield from per_gpu(gpu.ENERGY, readings, lambda reading: reading.power.energy_joules)
    yield from per_gpu(gpu_use.POWER_AVERAGE, readings, lambda reading: reading.power.average_watts)
    yield from per_gpu(gpu_use.POWER_DEFAULT_LIMIT, readings, lambda reading: reading.power.default_limit_watts)
    yield from per_gpu(gpu_use.POWER_MIN_LIMIT, readings, lambda reading: reading.power.min_limit_watts)
    yield from per_gpu(gpu_use.POWER_MAX_LIMIT, readings, lambda reading: reading.power.max_limit_watts)
