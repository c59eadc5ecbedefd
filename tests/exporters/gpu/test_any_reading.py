"""Whatever a card says, the page stays one that Prometheus can read, and the other GPUs stay on it."""

import dataclasses
import sys
import types
import typing
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from exporters.gpu.collection import Collection, Record
from exporters.gpu.collectors import COLLECTORS
from exporters.gpu.devices.reading import GpuReading, Identity
from exporters.gpu.page import render
from exporters.gpu.xid.tally import Errors, Sighting

NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.integers(-(2**65), 2**65), st.sampled_from([2**64 - 1, -1, 0])
)
TEXTS = st.text(max_size=12)
HEALTHY = GpuReading(Identity(99, "GPU-healthy", "NVIDIA H200", "00000000:18:00.0", "", "590", "13.1"))


def any_of(kind: Any) -> st.SearchStrategy:
    """Values of a type, the odd ones first."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(any_of, arguments))
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return st.lists(any_of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(any_of, arguments))
    if origin in (dict, typing.get_origin(typing.Mapping)):
        return st.dictionaries(any_of(arguments[0]), any_of(arguments[1]), max_size=3)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, vars(sys.modules[kind.__module__]))
        return st.builds(kind, **{field.name: any_of(hints[field.name]) for field in dataclasses.fields(kind)})
    simple = {str: TEXTS, bool: st.booleans(), type(None): st.none(), float: NUMBERS, int: st.integers(-(2**65), 2**65)}
    return simple[kind] if kind in simple else st.from_type(kind)


UNSHRUNK = (Phase.explicit, Phase.generate)
"""A failure names its sample already; to shrink a whole reading takes minutes."""
READINGS = any_of(GpuReading)
SIGHTINGS = st.lists(st.builds(Sighting, TEXTS, TEXTS, st.integers(0, 5), st.floats(0, 2e9)), max_size=3).map(tuple)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=UNSHRUNK,
    database=None,
    derandomize=True,
)
@given(st.lists(READINGS, max_size=2, unique_by=lambda one: one.identity.uuid), SIGHTINGS, SIGHTINGS)
def test_no_reading_however_odd_breaks_the_page(readings, xids, sxids):
    records = tuple(Record(one.identity.index, one.identity.uuid, one.identity.pci_bus_id) for one in readings)
    everything = (*readings, HEALTHY)
    page = render("nvml", Collection(everything, (), None, 1.0, 0.5, 3, 3, records, Errors(xids, sxids)), COLLECTORS)

    seen = set()
    up = []
    for family in text(page.text.decode()):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in seen
            seen.add(key)
            if sample.name == "gpu_up":
                up.append(sample.labels["uuid"])
            if sample.name == "gpu_scrape_collector_success":
                assert sample.value == 1, sample
    assert "GPU-healthy" in up
    assert list(openmetrics(page.openmetrics.decode()))
