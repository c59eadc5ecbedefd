"""Each collector, from readings to samples."""

from dataclasses import replace

import pytest

from exporters.gpu.attribution.usage import Usage
from exporters.gpu.collection import Absentee, Collection
from exporters.gpu.collectors import (
    COLLECTORS,
    OPTIONAL_COLLECTORS,
    activity,
    attribution,
    bar1,
    chosen,
    clocks,
    ecc,
    fabric,
    fans,
    link_errors,
    media,
    memory,
    mig,
    nvlink,
    pcie,
    pids,
    power,
    processes,
    row_histogram,
    rows,
    thermals,
    throttling,
    up,
    utilization,
)
from exporters.gpu.devices.reading import (
    Activity,
    Bar1,
    Clocks,
    DeviceLost,
    Ecc,
    Fabric,
    Fans,
    GpuReading,
    Identity,
    Instance,
    Media,
    Memory,
    Mig,
    NvLink,
    Pcie,
    Power,
    Process,
    Processes,
    RowHistogram,
    Rows,
    Sram,
    Thermals,
    Throttling,
    Utilization,
)

FULL = GpuReading(
    Identity(0, "GPU-a", "NVIDIA H200", "00000000:18:00.0", "96.00", "590.48", "13.1"),
    memory=Memory(100, 60, 30, 10),
    utilization=Utilization(0.75, 0.5),
    thermals=Thermals(60.0, 66.0, 29.0, 89.0, 92.0),
    power=Power(512.5, 700.0, 12345.678, 505.0, 690.0, 200.0, 710.0),
    clocks=Clocks({"sm": 1.5e9}, {"sm": 1.98e9}, 0, persistence=True),
    throttling=Throttling({"hw_thermal": True, "gpu_idle": False}, {"hw_thermal": 12.5}),
    ecc=Ecc(True, 1, 2, 3, 4, Sram(5, 6, {"l2": 7, "sm": 0}, threshold_exceeded=True), {"double_bit": 8}, False),
    rows=Rows(1, 2, pending=True, failed=False, recovery_action=4),
    nvlink=NvLink({0: True, 17: False}, 1024.0, 2048.0, {"crc": 9.0}, {(17, "crc"): 9.0}),
    pcie=Pcie(4, 5, 8, 16, 1e9, 2e9, 3.0, {"fatal": 1.0}),
    processes=Processes((Process(7, "python3", 40, alive=True), Process(9, "", 5, alive=False)), complete=True),
    activity=Activity(0.9, 0.8, 0.3, 0.2, 0.7, 1e6, 2e6),
    fabric=Fabric("in_progress", None, {"degraded_bandwidth": True}),
    media=Media(0.1, 0.2, 0.3, 0.4),
    fans=Fans({0: 0.5, 1: 1.1}),
    bar1=Bar1(256, 16),
    row_histogram=RowHistogram({"max": 640, "none": 0}),
)
BARE = GpuReading(Identity(1, "GPU-b", "", "", "", "590.48", "13.1"))
INSTANCES = (
    Instance("MIG-x", 3, 0, "2g.35gb", Memory(50, 20, 30, 0), Activity(0.9, 0.8, None, 0.2, 0.7)),
    Instance("MIG-y", 3, 1, "2g.35gb", Memory(50, 10, 40, 0), Activity(0.9, 0.8, None, 0.2, 0.7)),
    Instance("MIG-z", 5, 0, "", Memory(), Activity()),
)
SPLIT = replace(FULL, mig=Mig(enabled=True, instances=INSTANCES))


def samples(collect, *readings, absentees=(), usages=()):
    collection = Collection(readings, absentees, None, 0.0, 0.0, usages=usages)
    return [(sample.name, sample.labels, sample.value) for family in collect(collection) for sample in family.samples]


@pytest.mark.parametrize(
    ("collector", "expected"),
    [
        (
            memory,
            [
                ("gpu_memory_total_bytes", {}, 100),
                ("gpu_memory_used_bytes", {}, 60),
                ("gpu_memory_free_bytes", {}, 30),
                ("gpu_memory_reserved_bytes", {}, 10),
            ],
        ),
        (utilization, [("gpu_utilization_ratio", {}, 0.75), ("gpu_memory_utilization_ratio", {}, 0.5)]),
        (
            thermals,
            [
                ("gpu_temperature_celsius", {}, 60),
                ("gpu_memory_temperature_celsius", {}, 66),
                ("gpu_temperature_margin_celsius", {}, 29),
                ("gpu_slowdown_temperature_celsius", {}, 89),
                ("gpu_shutdown_temperature_celsius", {}, 92),
            ],
        ),
        (
            power,
            [
                ("gpu_power_watts", {}, 512.5),
                ("gpu_power_limit_watts", {}, 700),
                ("gpu_energy_joules_total", {}, 12345.678),
                ("gpu_power_average_watts", {}, 505),
                ("gpu_power_default_limit_watts", {}, 690),
                ("gpu_power_min_limit_watts", {}, 200),
                ("gpu_power_max_limit_watts", {}, 710),
            ],
        ),
        (
            clocks,
            [
                ("gpu_clock_hertz", {"domain": "sm"}, 1.5e9),
                ("gpu_clock_max_hertz", {"domain": "sm"}, 1.98e9),
                ("gpu_performance_state", {}, 0),
                ("gpu_persistence_enabled", {}, 1),
            ],
        ),
        (
            throttling,
            [
                ("gpu_clock_event_active", {"reason": "hw_thermal"}, 1),
                ("gpu_clock_event_active", {"reason": "gpu_idle"}, 0),
                ("gpu_throttled_seconds_total", {"reason": "hw_thermal"}, 12.5),
            ],
        ),
        (
            ecc,
            [
                ("gpu_ecc_enabled", {}, 1),
                ("gpu_ecc_corrected_errors_total", {}, 1),
                ("gpu_ecc_uncorrected_errors_total", {}, 2),
                ("gpu_ecc_lifetime_corrected_errors_total", {}, 3),
                ("gpu_ecc_lifetime_uncorrected_errors_total", {}, 4),
                ("gpu_retired_pages_total", {"cause": "double_bit"}, 8),
                ("gpu_page_retirement_pending", {}, 0),
                ("gpu_ecc_sram_corrected_errors_total", {}, 5),
                ("gpu_ecc_sram_uncorrected_errors_total", {}, 6),
                ("gpu_ecc_sram_lifetime_uncorrected_errors_total", {"location": "l2"}, 7),
                ("gpu_ecc_sram_lifetime_uncorrected_errors_total", {"location": "sm"}, 0),
                ("gpu_ecc_sram_threshold_exceeded", {}, 1),
            ],
        ),
        (
            rows,
            [
                ("gpu_remapped_rows_total", {"cause": "corrected"}, 1),
                ("gpu_remapped_rows_total", {"cause": "uncorrected"}, 2),
                ("gpu_row_remap_pending", {}, 1),
                ("gpu_row_remap_failed", {}, 0),
                ("gpu_recovery_action", {}, 4),
            ],
        ),
        (
            nvlink,
            [
                ("gpu_nvlink_up", {"link": "0"}, 1),
                ("gpu_nvlink_up", {"link": "17"}, 0),
                ("gpu_nvlink_transmitted_bytes_total", {}, 1024),
                ("gpu_nvlink_received_bytes_total", {}, 2048),
                ("gpu_nvlink_errors_total", {"kind": "crc"}, 9),
            ],
        ),
        (link_errors, [("gpu_nvlink_link_errors_total", {"link": "17", "kind": "crc"}, 9)]),
        (
            pcie,
            [
                ("gpu_pcie_link_generation", {}, 4),
                ("gpu_pcie_link_generation_max", {}, 5),
                ("gpu_pcie_link_lanes", {}, 8),
                ("gpu_pcie_link_lanes_max", {}, 16),
                ("gpu_pcie_transmitted_bytes_total", {}, 1e9),
                ("gpu_pcie_received_bytes_total", {}, 2e9),
                ("gpu_pcie_replays_total", {}, 3),
                ("gpu_pcie_errors_total", {"kind": "fatal"}, 1),
            ],
        ),
        (
            processes,
            [
                ("gpu_processes", {}, 2),
                ("gpu_program_memory_bytes", {"program": "python3"}, 40),
                ("gpu_program_memory_bytes", {"program": "other"}, 5),
                ("gpu_memory_orphaned_bytes", {}, 20),
            ],
        ),
        (
            pids,
            [
                ("gpu_process_memory_bytes", {"pid": "7", "program": "python3"}, 40),
                ("gpu_process_memory_bytes", {"pid": "9", "program": ""}, 5),
            ],
        ),
        (
            activity,
            [
                ("gpu_graphics_activity_ratio", {}, 0.9),
                ("gpu_sm_activity_ratio", {}, 0.8),
                ("gpu_sm_occupancy_ratio", {}, 0.3),
                ("gpu_tensor_activity_ratio", {}, 0.2),
                ("gpu_dram_activity_ratio", {}, 0.7),
                ("gpu_pcie_transmit_bytes_per_second", {}, 1e6),
                ("gpu_pcie_receive_bytes_per_second", {}, 2e6),
            ],
        ),
        (
            fabric,
            [
                ("gpu_fabric_state", {"state": "not_started"}, 0),
                ("gpu_fabric_state", {"state": "in_progress"}, 1),
                ("gpu_fabric_state", {"state": "completed"}, 0),
                ("gpu_fabric_complaint", {"kind": "degraded_bandwidth"}, 1),
            ],
        ),
        (
            media,
            [
                ("gpu_encoder_utilization_ratio", {}, 0.1),
                ("gpu_decoder_utilization_ratio", {}, 0.2),
                ("gpu_jpeg_utilization_ratio", {}, 0.3),
                ("gpu_ofa_utilization_ratio", {}, 0.4),
            ],
        ),
        (fans, [("gpu_fan_speed_ratio", {"fan": "0"}, 0.5), ("gpu_fan_speed_ratio", {"fan": "1"}, 1.1)]),
        (bar1, [("gpu_bar1_total_bytes", {}, 256), ("gpu_bar1_used_bytes", {}, 16)]),
        (
            row_histogram,
            [("gpu_row_remap_banks", {"level": "max"}, 640), ("gpu_row_remap_banks", {"level": "none"}, 0)],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_a_full_reading_becomes_one_sample_per_value_and_a_bare_one_none(collector, expected):
    labels = {"gpu": "0", "uuid": "GPU-a"}
    assert samples(collector.collect, FULL, BARE) == [(name, labels | more, value) for name, more, value in expected]


def test_instances_are_told_apart_and_share_the_activity_of_their_gpu_instance():
    place = {"gpu": "0", "uuid": "GPU-a", "gpu_instance": "3"}
    zero, one = place | {"compute_instance": "0"}, place | {"compute_instance": "1"}
    five = {"gpu": "0", "uuid": "GPU-a", "gpu_instance": "5", "compute_instance": "0"}
    assert samples(mig.collect, SPLIT, BARE) == [
        ("gpu_mig_enabled", {"gpu": "0", "uuid": "GPU-a"}, 1),
        ("gpu_mig_info", zero | {"mig_uuid": "MIG-x", "profile": "2g.35gb"}, 1),
        ("gpu_mig_info", one | {"mig_uuid": "MIG-y", "profile": "2g.35gb"}, 1),
        ("gpu_mig_info", five | {"mig_uuid": "MIG-z", "profile": ""}, 1),
        ("gpu_mig_memory_total_bytes", zero, 50),
        ("gpu_mig_memory_total_bytes", one, 50),
        ("gpu_mig_memory_used_bytes", zero, 20),
        ("gpu_mig_memory_used_bytes", one, 10),
        ("gpu_mig_graphics_activity_ratio", place, 0.9),
        ("gpu_mig_sm_activity_ratio", place, 0.8),
        ("gpu_mig_tensor_activity_ratio", place, 0.2),
        ("gpu_mig_dram_activity_ratio", place, 0.7),
    ]


def test_users_are_shown_for_the_gpus_that_answered():
    usages = (Usage("GPU-a", "3", "kubelet", "chat", "vllm-0", "engine"), Usage("GPU-lost", "", "slurm", slurm_job="4"))
    who = {"origin": "kubelet", "pod_namespace": "chat", "pod": "vllm-0", "container": "engine"}
    labels = {"gpu": "0", "uuid": "GPU-a", "gpu_instance": "3", "slurm_job": ""} | who
    assert samples(attribution.collect, FULL, usages=usages) == [("gpu_attribution_info", labels, 1.0)]


def test_programs_beyond_the_five_largest_are_one():
    listed = tuple(Process(pid, f"program{pid}", 10 * pid, alive=True) for pid in range(1, 9))
    busy = replace(BARE, processes=Processes((*listed, Process(9, "program8", 1, alive=True)), complete=True))
    assert processes.memory_by_program(busy) == {
        "program8": 81,
        "program7": 70,
        "program6": 60,
        "program5": 50,
        "program4": 40,
        "other": 60,
    }


@pytest.mark.parametrize(
    "parts",
    [
        {"processes": Processes(None)},
        {"processes": Processes((), complete=False)},
        {"memory": Memory(100, 60, 40, None)},
        {"mig": Mig(enabled=True)},
    ],
    ids=["unlisted", "incomplete", "reserved-included", "split"],
)
def test_memory_is_called_orphaned_only_where_every_holder_can_be_seen(parts):
    assert processes.orphaned_bytes(replace(FULL, **parts)) is None


def test_driver_overhead_below_what_processes_hold_is_not_negative():
    held = Processes((Process(7, "python3", 61, alive=True),), complete=True)
    assert processes.orphaned_bytes(replace(FULL, processes=held)) == 0


@pytest.mark.parametrize(("name", "collect"), [one for one in (*COLLECTORS, *OPTIONAL_COLLECTORS) if one[0] not in
                                               ("up", "health", "xid")])  # fmt: skip
def test_a_reading_without_values_yields_no_family(name, collect):
    assert list(collect(Collection((BARE,), (), None, 0.0, 0.0))) == []


def test_optional_collectors_are_shown_where_they_were_chosen():
    assert chosen() == COLLECTORS
    assert [name for name, _ in chosen(("pids", "fans"))][-2:] == ["fans", "pids"]


def test_a_value_of_zero_is_a_sample():
    idle = GpuReading(FULL.identity, utilization=Utilization(0.0, None))
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
