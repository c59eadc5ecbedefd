"""NVLink fabric."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import Fabric
from exporters.gpu.families import per_gpu, per_gpu_and

_STATES = ("not_started", "in_progress", "completed")


def collect(collection: Collection) -> Iterator[Family]:
    """State of the registration, the code it ended with, and complaints."""
    readings = collection.readings
    yield from per_gpu_and(gpu_health.FABRIC_STATE, readings, lambda reading: _states(reading.fabric))
    yield from per_gpu(gpu_health.FABRIC_ERROR_CODE, readings, lambda reading: reading.fabric.error_code)
    yield from per_gpu_and(gpu_health.FABRIC_COMPLAINT, readings, lambda reading: reading.fabric.complaints)


def _states(fabric: Fabric) -> Mapping[str, bool]:
    return {state: state == fabric.state for state in _STATES} if fabric.state else {}
