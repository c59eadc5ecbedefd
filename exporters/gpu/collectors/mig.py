"""MIG instances."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import Activity, GpuReading, Instance
from exporters.gpu.families import families, gpu_labels, per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Whether the GPU is split; each instance's description, memory and activity."""
    readings = collection.readings
    yield from per_gpu(gpu_use.MIG_ENABLED, readings, lambda reading: reading.mig.enabled)
    descriptions = (_description(reading, one) for reading in readings for one in reading.mig.instances)
    yield from families(gpu_use.MIG_INFO, ((labels, 1.0) for labels in descriptions))
    yield from per_gpu_and(gpu_use.MIG_MEMORY_TOTAL, readings, _memory(lambda one: one.memory.total_bytes))
    yield from per_gpu_and(gpu_use.MIG_MEMORY_USED, readings, _memory(lambda one: one.memory.used_bytes))
    yield from per_gpu_and(gpu_use.MIG_GRAPHICS_ACTIVITY, readings, _activity(lambda one: one.graphics_ratio))
    yield from per_gpu_and(gpu_use.MIG_SM_ACTIVITY, readings, _activity(lambda one: one.sm_ratio))
    yield from per_gpu_and(gpu_use.MIG_TENSOR_ACTIVITY, readings, _activity(lambda one: one.tensor_ratio))
    yield from per_gpu_and(gpu_use.MIG_DRAM_ACTIVITY, readings, _activity(lambda one: one.dram_ratio))


def _description(reading: GpuReading, one: Instance) -> tuple[str, ...]:
    return (*gpu_labels(reading.identity), str(one.gpu_instance), str(one.compute_instance), one.uuid, one.profile)


def _memory(value: Callable[[Instance], int | None]) -> Callable[[GpuReading], dict[tuple[int, int], float]]:
    def of(reading: GpuReading) -> dict[tuple[int, int], float]:
        found = {(one.gpu_instance, one.compute_instance): value(one) for one in reading.mig.instances}
        return {place: float(size) for place, size in found.items() if size is not None}

    return of


def _activity(value: Callable[[Activity], float | None]) -> Callable[[GpuReading], dict[int, float]]:
    def of(reading: GpuReading) -> dict[int, float]:
        # Compute instances of one GPU instance share its activity.
        found = {one.gpu_instance: value(one.activity) for one in reading.mig.instances}
        return {place: ratio for place, ratio in found.items() if ratio is not None}

    return of
