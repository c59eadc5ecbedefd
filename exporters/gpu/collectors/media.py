"""Video and image engines; optional."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu


def collect(collection: Collection) -> Iterator[Family]:
    """Shares of time, 0 to 1."""
    readings = collection.readings
    yield from per_gpu(gpu_use.ENCODER_UTILIZATION, readings, lambda reading: reading.media.encoder_ratio)
    yield from per_gpu(gpu_use.DECODER_UTILIZATION, readings, lambda reading: reading.media.decoder_ratio)
    yield from per_gpu(gpu_use.JPEG_UTILIZATION, readings, lambda reading: reading.media.jpeg_ratio)
    yield from per_gpu(gpu_use.OFA_UTILIZATION, readings, lambda reading: reading.media.ofa_ratio)
