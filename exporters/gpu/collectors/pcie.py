"""The PCIe link."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health, gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Generation and lanes, now and at most; bytes; replays and errors."""
    readings = collection.readings
    yield from per_gpu(gpu_health.PCIE_GENERATION, readings, lambda reading: reading.pcie.generation)
    yield from per_gpu(gpu_health.PCIE_GENERATION_MAX, readings, lambda reading: reading.pcie.max_generation)
    yield from per_gpu(gpu_health.PCIE_LANES, readings, lambda reading: reading.pcie.width_lanes)
    yield from per_gpu(gpu_health.PCIE_LANES_MAX, readings, lambda reading: reading.pcie.max_width_lanes)
    yield from per_gpu(gpu_use.PCIE_TRANSMITTED, readings, lambda reading: reading.pcie.transmitted_bytes)
    yield from per_gpu(gpu_use.PCIE_RECEIVED, readings, lambda reading: reading.pcie.received_bytes)
    yield from per_gpu(gpu_health.PCIE_REPLAYS, readings, lambda reading: reading.pcie.replays)
    yield from per_gpu_and(gpu_health.PCIE_ERRORS, readings, lambda reading: reading.pcie.errors)
