"""How each GPU fared, over all collections so far, and what watching over the driver took."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.gpu.collection import Collection
from exporters.gpu.families import families


def collect(collection: Collection) -> Iterator[Family]:
    """Age, errors and quarantine of every GPU known; state of the driver; processes replaced, killed, left behind."""
    records = [((str(one.index), one.uuid), one) for one in collection.records]
    yield from families(gpu.READING_TIMESTAMP, ((labels, one.read_at) for labels, one in records))
    yield from families(gpu.READING_DURATION, ((labels, one.read_seconds) for labels, one in records))
    yield from families(gpu.LAST_ERROR_CODE, ((labels, one.error_code) for labels, one in records))
    yield from families(gpu.QUARANTINED, ((labels, float(one.quarantined)) for labels, one in records))
    yield from families(gpu.EXPECTED, [((), collection.expected)])
    yield from families(gpu.LISTED, [((), collection.listed)])
    error = collection.driver_error
    yield from families(gpu.DRIVER_ERROR_CODE, [((), None if error is None else error.code)])
    yield from families(gpu.PROCESS_RESTARTS, (((role,), count) for role, count in collection.cost.restarts))
    yield from families(gpu.WATCHDOG_KILLS, (((role,), count) for role, count in collection.cost.kills))
    yield from families(gpu.ABANDONED, [((), collection.cost.abandoned)])
