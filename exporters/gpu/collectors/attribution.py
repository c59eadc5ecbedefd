"""Who uses each GPU."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu_use
from exporters.gpu.collection import Collection
from exporters.gpu.families import families, gpu_labels


def collect(collection: Collection) -> Iterator[Family]:
    """At most eight series a GPU; none where nobody is known to use it."""
    places = {reading.identity.uuid: gpu_labels(reading.identity) for reading in collection.readings}
    found = (
        (*places[one.uuid], one.origin, one.pod_namespace, one.pod, one.container, one.slurm_job, one.gpu_instance)
        for one in collection.usages
        if one.uuid in places
    )
    yield from families(gpu_use.ATTRIBUTION, ((labels, 1.0) for labels in found))
