"""Processes on the GPU, and memory that none of them holds."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import GpuReading
from exporters.gpu.families import per_gpu, per_gpu_and

_MOST_PROGRAMS = 5
_OTHER = "other"


def collect(collection: Collection) -> Iterator[Family]:
    """Count; memory by program, at most six series; memory of no live process."""
    readings = collection.readings
    yield from per_gpu(gpu_use.PROCESSES, readings, _count)
    yield from per_gpu_and(gpu_use.PROGRAM_MEMORY, readings, memory_by_program)
    yield from per_gpu(gpu_use.ORPHANED_MEMORY, readings, orphaned_bytes)


def memory_by_program(reading: GpuReading) -> dict[str, float]:
    """Bytes by program, largest first; those behind the fifth, and those without a name, as `other`."""
    sums: dict[str, float] = {}
    for one in reading.processes.listed or ():
        if one.memory_bytes is not None:
            sums[one.name or _OTHER] = sums.get(one.name or _OTHER, 0.0) + one.memory_bytes
    largest = sorted(sums.keys() - {_OTHER}, key=lambda name: (-sums[name], name))
    shown: dict[str, float] = {name: sums[name] for name in largest[:_MOST_PROGRAMS]}
    if len(shown) < len(sums):
        shown[_OTHER] = sum(held for name, held in sums.items() if name not in shown)
    return shown


def orphaned_bytes(reading: GpuReading) -> float | None:
    """Bytes in use less what live processes hold; None where not every process can be seen."""
    used, processes = reading.memory.used_bytes, reading.processes
    if used is None or reading.memory.reserved_bytes is None or not processes.complete or reading.mig.enabled:
        return None
    held = sum(one.memory_bytes or 0 for one in processes.listed or () if one.alive)
    return max(0.0, float(used - held))


def _count(reading: GpuReading) -> float | None:
    listed = reading.processes.listed
    return None if listed is None else len(listed)
