"""Remapped rows of device memory, and what the driver wants done."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import Rows
from exporters.gpu.families import per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Rows by cause, over the card's life; whether one is pending or failed; the recovery action as a number."""
    readings = collection.readings
    yield from per_gpu_and(gpu_health.REMAPPED_ROWS, readings, lambda reading: _by_cause(reading.rows))
    yield from per_gpu(gpu_health.REMAP_PENDING, readings, lambda reading: reading.rows.pending)
    yield from per_gpu(gpu_health.REMAP_FAILED, readings, lambda reading: reading.rows.failed)
    yield from per_gpu(gpu_health.RECOVERY_ACTION, readings, lambda reading: reading.rows.recovery_action)


def _by_cause(rows: Rows) -> Mapping[str, float]:
    found = {"corrected": rows.corrected, "uncorrected": rows.uncorrected}
    return {cause: count for cause, count in found.items() if count is not None}
