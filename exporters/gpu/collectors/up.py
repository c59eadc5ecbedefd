"""Which GPUs answer, and what they are."""

from collections.abc import Iterator
from itertools import chain

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.devices.reading import Identity
from exporters.gpu.families import families, gpu_labels


def collect(collection: Collection) -> Iterator[Family]:
    """1 for every GPU that answered and 0 for every other one known; descriptions of those that answered."""
    answered = ((gpu_labels(reading.identity), 1.0) for reading in collection.readings)
    silent = (((str(absentee.index), absentee.uuid), 0.0) for absentee in collection.absentees)
    yield from families(gpu.UP, chain(answered, silent))
    yield from families(gpu.INFO, ((_description(reading.identity), 1.0) for reading in collection.readings))


def _description(identity: Identity) -> tuple[str, ...]:
    return (
        *gpu_labels(identity),
        identity.name,
        identity.driver_version,
        identity.cuda_version,
        identity.vbios_version,
        identity.pci_bus_id,
    )
