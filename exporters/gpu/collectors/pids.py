"""Every single process; optional, for its series come and go with the processes."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import GpuReading
from exporters.gpu.families import per_gpu_and

_MOST_PROCESSES = 64


def collect(collection: Collection) -> Iterator[Family]:
    """Memory of the 64 processes of each GPU that hold most."""
    yield from per_gpu_and(gpu_use.PROCESS_MEMORY, collection.readings, _largest)


def _largest(reading: GpuReading) -> dict[tuple[int, str], float]:
    held = [(one.memory_bytes, one.pid, one.name) for one in reading.processes.listed or () if one.memory_bytes]
    return {(pid, name): float(size) for size, pid, name in sorted(held, reverse=True)[:_MOST_PROCESSES]}
