"""Memory errors, and pages taken out of use for them."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_health
from exporters.gpu.collection import Collection
from exporters.gpu.families import per_gpu, per_gpu_and


def collect(collection: Collection) -> Iterator[Family]:
    """Counts since the driver was loaded and over the card's life; on-chip memory also by itself."""
    readings = collection.readings
    yield from per_gpu(gpu_health.ECC_ENABLED, readings, lambda reading: reading.ecc.enabled)
    yield from per_gpu(gpu_health.ECC_CORRECTED, readings, lambda reading: reading.ecc.corrected)
    yield from per_gpu(gpu_health.ECC_UNCORRECTED, readings, lambda reading: reading.ecc.uncorrected)
    yield from per_gpu(gpu_health.ECC_LIFETIME_CORRECTED, readings, lambda reading: reading.ecc.lifetime_corrected)
    yield from per_gpu(gpu_health.ECC_LIFETIME_UNCORRECTED, readings, lambda reading: reading.ecc.lifetime_uncorrected)
    yield from per_gpu_and(gpu_health.RETIRED_PAGES, readings, lambda reading: reading.ecc.retired_pages)
    yield from per_gpu(gpu_health.RETIREMENT_PENDING, readings, lambda reading: reading.ecc.retirement_pending)
    yield from _sram(collection)


def _sram(collection: Collection) -> Iterator[Family]:
    found = [(reading, reading.ecc.sram) for reading in collection.readings if reading.ecc.sram is not None]
    sram = {reading.identity.uuid: counts for reading, counts in found}
    readings = [reading for reading, _ in found]
    yield from per_gpu(gpu_health.ECC_SRAM_CORRECTED, readings, lambda reading: sram[reading.identity.uuid].corrected)
    yield from per_gpu(
        gpu_health.ECC_SRAM_UNCORRECTED, readings, lambda reading: sram[reading.identity.uuid].uncorrected
    )
    yield from per_gpu_and(
        gpu_health.ECC_SRAM_LIFETIME_UNCORRECTED,
        readings,
        lambda reading: sram[reading.identity.uuid].lifetime_uncorrected,
    )
    yield from per_gpu(
        gpu_health.ECC_SRAM_THRESHOLD, readings, lambda reading: sram[reading.identity.uuid].threshold_exceeded
    )
