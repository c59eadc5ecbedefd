"""Errors of every single NVLink; optional, for whoever has to find the bad one."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """54 series on a Hopper GPU."""
    yield from per_gpu_and(
        gpu_health.NVLINK_LINK_ERRORS, collection.readings, lambda reading: reading.nvlink.link_errors
    )
