"""Fans; optional."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Wanted speed by fan; boards cooled by the chassis have none."""
    yield from per_gpu_and(gpu_use.FAN_SPEED, collection.readings, lambda reading: reading.fans.speed_ratio)
