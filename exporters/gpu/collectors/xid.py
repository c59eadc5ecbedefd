"""Errors that GPUs and NVSwitches reported by themselves."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue import gpu
from exporters.catalogue.xid import FATAL
from exporters.gpu.collection import Collection
from exporters.gpu.families import families
from exporters.gpu.xid.tally import pci_address

Place = tuple[str, str, str]
"""GPU index, uuid and XID, as labels."""


def collect(collection: Collection) -> Iterator[Family]:
    """XIDs of every GPU known, up or down, those of a GPU that never answered without uuid; SXids; the watchers."""
    counts, last_seen = _xids(collection)
    yield from families(gpu.XID_ERRORS, counts.items())
    yield from families(gpu.XID_LAST_SEEN, last_seen.items())
    sxids = [((one.place, one.code), one) for one in collection.errors.sxids]
    yield from families(gpu.SXID_ERRORS, ((labels, one.count) for labels, one in sxids))
    yield from families(gpu.SXID_LAST_SEEN, ((labels, one.last_seen_at) for labels, one in sxids))
    yield from families(gpu.XID_WATCHER_HEARTBEAT, [((), collection.errors.watcher_alive_at)])
    readable = collection.errors.kernel_log_readable
    yield from families(gpu.KERNEL_LOG_READABLE, [((), None if readable is None else float(readable))])


def _xids(collection: Collection) -> tuple[dict[Place, float], dict[Place, float]]:
    known = [one for one in collection.records if one.uuid]
    at_slot = {pci_address(one.pci_bus_id): (str(one.index), one.uuid) for one in known if one.pci_bus_id}
    counts: dict[Place, float] = defaultdict(float)
    counts |= {(str(one.index), one.uuid, str(code)): 0.0 for one in known for code in FATAL}
    last_seen: dict[Place, float] = {}
    for seen in collection.errors.xids:
        place = (*at_slot.get(seen.place, ("", "")), seen.code)
        counts[place] += seen.count
        last_seen[place] = max(seen.last_seen_at, last_seen.get(place, seen.last_seen_at))
    return counts, last_seen
