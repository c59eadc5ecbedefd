"""Each collector, from readings to samples."""

import pytest

from exporters.gpu.collection import Absentee, Collection
from exporters.gpu.collectors import memory, power, thermals, up, utilization
from exporters.gpu.devices.reading import (
    DeviceLost,
    GpuReading,
    Identity,
    Memory,
    Power,
    Thermals,
    Utilization,
)

FULL = GpuReading(
    Identity(0, "GPU-a", "NVIDIA H200", "00000000:18:00.0", "96.00", "590.48", "13.1"),
    Memory(100, 60, 30, 10),
    Utilization(0.75, 0.5),
    Thermals(60.0, 66.0, 29.0, 89.0, 92.0),
    Power(512.5, 700.0, 12345.678),
)
BARE = GpuReading(Identity(1, "GPU-b", "", "", "", "590.48", "13.1"), Memory(), Utilization(), Thermals(), Power())


def samples(collect, *readings, absentees=()):
    collection = Collection(readings, absentees, None, 0.0, 0.0)
    return [(sample.name, sample.labels, sample.value) for family in collect(collection) for sample in family.samples]


@pytest.mark.parametrize(
    ("collector", "expected"),
    [
        (
            memory,
            {
                "gpu_memory_total_bytes": 100,
                "gpu_memory_used_bytes": 60,
                "gpu_memory_free_bytes": 30,
                "gpu_memory_reserved_bytes": 10,
            },
        ),
        (utilization, {"gpu_utilization_ratio": 0.75, "gpu_memory_utilization_ratio": 0.5}),
        (
            thermals,
            {
                "gpu_temperature_celsius": 60,
                "gpu_memory_temperature_celsius": 66,
                "gpu_temperature_margin_celsius": 29,
                "gpu_slowdown_temperature_celsius": 89,
                "gpu_shutdown_temperature_celsius": 92,
            },
        ),
        (
            power,
            {"gpu_power_watts": 512.5, "gpu_power_limit_watts": 700, "gpu_energy_joules_total": 12345.678},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_a_full_reading_becomes_one_sample_per_value_and_a_bare_one_none(collector, expected):
    labels = {"gpu": "0", "uuid": "GPU-a"}
    assert samples(collector.collect, FULL, BARE) == [(name, labels, value) for name, value in expected.items()]


@pytest.mark.parametrize("collector", [memory, utilization, thermals, power])
def test_a_reading_without_values_yields_no_family(collector):
    assert list(collector.collect(Collection((BARE,), (), None, 0.0, 0.0))) == []


def test_a_value_of_zero_is_a_sample():
    idle = GpuReading(FULL.identity, Memory(), Utilization(0.0, None), Thermals(), Power())
    assert [value for _, _, value in samples(utilization.collect, idle)] == [0.0]


def test_up_says_who_answers_and_who_does_not():
    absentee = Absentee(1, "GPU-b", DeviceLost("gone"))
    found = samples(up.collect, FULL, absentees=(absentee,))
    assert found[:2] == [
        ("gpu_up", {"gpu": "0", "uuid": "GPU-a"}, 1.0),
        ("gpu_up", {"gpu": "1", "uuid": "GPU-b"}, 0.0),
    ]
    assert found[2:] == [
        (
            "gpu_info",
            {
                "gpu": "0",
                "uuid": "GPU-a",
                "name": "NVIDIA H200",
                "driver_version": "590.48",
                "cuda_version": "13.1",
                "vbios_version": "96.00",
                "pci_bus_id": "00000000:18:00.0",
            },
            1.0,
        )
    ]
