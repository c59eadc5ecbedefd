"""What the GPU's parts did since the last collection."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Ratios 0 to 1, and bytes per second over PCIe; Hopper and newer, from the second collection on."""
    readings = collection.readings
    yield from per_gpu(gpu_use.GRAPHICS_ACTIVITY, readings, lambda reading: reading.activity.graphics_ratio)
    yield from per_gpu(gpu_use.SM_ACTIVITY, readings, lambda reading: reading.activity.sm_ratio)
    yield from per_gpu(gpu_use.SM_OCCUPANCY, readings, lambda reading: reading.activity.sm_occupancy_ratio)
    yield from per_gpu(gpu_use.TENSOR_ACTIVITY, readings, lambda reading: reading.activity.tensor_ratio)
    yield from per_gpu(gpu_use.DRAM_ACTIVITY, readings, lambda reading: reading.activity.dram_ratio)
    yield from per_gpu(
        gpu_use.PCIE_TRANSMIT_RATE, readings, lambda reading: reading.activity.pcie_transmitted_bytes_per_second
    )
    yield from per_gpu(
        gpu_use.PCIE_RECEIVE_RATE, readings, lambda reading: reading.activity.pcie_received_bytes_per_second
    )
