"""Values that come by calls of their own: which is asked before which, and what an answer means."""

from dataclasses import replace

import pynvml
import pytest

from exporters.gpu.devices.reading import Activity, Fabric, Mig, Process, Processes, Utilization
from exporters.gpu.simulator.profiles import H200, H200_MIG, L40S, RTX

GONE = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
USED = 81057672069


class Fakes:
    """A library in which some functions answer otherwise."""

    def __init__(self, library, **functions):
        self._library = library
        self._functions = functions

    def __getattr__(self, name):
        return self._functions.get(name) or getattr(self._library, name)


def test_event_reasons_come_by_the_older_calls_from_an_older_driver(nvml, library, machine):
    machine.change(0, {"throttle": ("hw_thermal", "hw_slowdown")})
    library.codes["nvmlDeviceGetCurrentClocksEventReasons"] = GONE
    library.codes["nvmlDeviceGetSupportedClocksEventReasons"] = GONE
    found = nvml.read(0).throttling.active
    assert {reason for reason, on in found.items() if on} == {"hw_thermal", "hw_slowdown"}
    assert "display_clocks" not in found


def test_where_no_driver_says_which_reasons_exist_all_are_shown(nvml, library):
    for name in ("nvmlDeviceGetSupportedClocksEventReasons", "nvmlDeviceGetSupportedClocksThrottleReasons"):
        library.codes[name] = GONE
    assert len(nvml.read(0).throttling.active) == 9


def test_time_held_down_is_in_seconds(nvml, machine, clock):
    machine.change(0, {"throttle": ("sw_power_cap",)})
    clock.now += 90
    assert nvml.read(0).throttling.seconds["sw_power_cap"] == 90


def test_an_unknown_performance_state_is_none(open_card):
    def unknown(handle, out):
        out._obj.value = pynvml.NVML_PSTATE_UNKNOWN
        return 0

    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlDeviceGetPerformanceState=unknown))
    assert driver.read(0).clocks.performance_state is None


@pytest.mark.parametrize(
    ("state", "status", "mask", "expected"),
    [
        (0, 0, 0, Fabric()),
        (2, 0, 0, Fabric("in_progress")),
        (3, 0, 0b10, Fabric("completed", 0, {"degraded_bandwidth": False})),
        (3, 999, 0b01_10_01, Fabric("completed", 999, {"degraded_bandwidth": True, "route_recovery": False,
                                                      "route_unhealthy": True})),
    ],
)  # fmt: skip
def test_the_fabric_is_what_the_driver_says(open_card, state, status, mask, expected):
    def fabric(handle, out):
        out._obj.state, out._obj.status, out._obj.healthMask = state, status, mask
        return 0

    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlDeviceGetGpuFabricInfoV=fabric))
    assert driver.read(0).fabric == expected


def test_a_driver_that_knows_an_older_structure_is_asked_with_that(open_card):
    def older(handle, out):
        if out._obj.version != pynvml.nvmlGpuFabricInfo_v2:
            return pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH
        out._obj.state = 3
        return 0

    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlDeviceGetGpuFabricInfoV=older))
    assert driver.read(0).fabric.state == "completed"


def test_a_process_is_shown_by_the_name_of_its_program_without_arguments(open_card):
    def name(pid, buffer, size):
        buffer.value = b"/opt/vllm/bin/python3 serve.py --prompt 'secret'"
        return 0

    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlSystemGetProcessName=name))
    assert driver.read(0).processes.listed == (Process(40000, "python3", USED, alive=True),)


@pytest.mark.parametrize(
    ("code", "alive"), [(pynvml.NVML_ERROR_NOT_FOUND, False), (pynvml.NVML_ERROR_NO_PERMISSION, True)]
)
def test_a_process_without_a_name_is_dead_only_where_the_driver_says_that_there_is_none(open_card, code, alive):
    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlSystemGetProcessName=lambda *_: code))
    assert driver.read(0).processes.listed == (Process(40000, "", USED, alive=alive),)


def test_processes_are_listed_by_the_older_call_too(nvml, library, machine):
    library.codes["nvmlDeviceGetComputeRunningProcesses_v3"] = GONE
    assert nvml.read(0).processes == Processes((), complete=True)
    assert "nvmlDeviceGetComputeRunningProcesses_v2" in library.calls


def test_where_no_list_exists_processes_are_unknown_and_not_none(nvml, library):
    for kind in ("Compute", "Graphics", "MPSCompute"):
        library.codes[f"nvmlDeviceGet{kind}RunningProcesses_v3"] = pynvml.NVML_ERROR_NOT_SUPPORTED
        library.codes[f"nvmlDeviceGet{kind}RunningProcesses_v2"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    assert nvml.read(0).processes == Processes(None, complete=False)


def test_activity_is_a_mean_between_two_readings(open_card, clock):
    driver, machine = open_card(H200)
    assert driver.read(0).activity == Activity()
    machine.change(0, {"utilization_ratio": 0.5})
    clock.now += 10
    found = driver.read(0).activity
    assert (found.graphics_ratio, found.dram_ratio) == (pytest.approx(0.5), pytest.approx(0.35))
    assert found.pcie_transmitted_bytes_per_second == pytest.approx(1e9)
    machine.change(0, {"utilization_ratio": 1.0})
    clock.now += 10
    assert driver.read(0).activity.sm_ratio == pytest.approx(0.9)


@pytest.mark.parametrize("profile", [L40S, RTX], ids=lambda profile: profile.name)
def test_a_card_before_hopper_has_no_activity_however_often_it_is_read(open_card, profile):
    driver, _ = open_card(profile)
    assert [driver.read(0).activity for _ in range(3)] == [Activity()] * 3


def test_samples_are_freed_when_the_driver_is_closed(nvml, library):
    for _ in range(5):
        nvml.read(0)
        nvml.read(1)
    assert library.calls.count("nvmlGpmSampleAlloc") == 4
    nvml.close()
    assert library.calls.count("nvmlGpmSampleFree") == 4


def test_where_samples_are_not_supported_no_more_of_them_are_asked_for(nvml, library):
    library.codes["nvmlGpmSampleGet"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    for _ in range(3):
        assert nvml.read(0).activity == Activity()
    assert library.calls.count("nvmlGpmSampleAlloc") == library.calls.count("nvmlGpmSampleFree") == 1


def test_samples_that_cannot_be_taken_are_freed_and_tried_anew(nvml, library):
    library.codes["nvmlGpmSampleGet"] = pynvml.NVML_ERROR_UNKNOWN
    for _ in range(3):
        assert nvml.read(0).activity == Activity()
    assert library.calls.count("nvmlGpmSampleAlloc") == library.calls.count("nvmlGpmSampleFree") == 3
    del library.codes["nvmlGpmSampleGet"]
    nvml.read(0)
    assert nvml.read(0).activity.graphics_ratio == 0


def test_a_gpu_that_is_not_split_says_so_and_one_that_cannot_be_says_nothing(open_card):
    assert open_card(H200)[0].read(0).mig == Mig(enabled=False)
    assert open_card(L40S)[0].read(0).mig == Mig(enabled=None)


def test_instances_have_their_profile_memory_and_activity(open_card, clock):
    driver, _ = open_card(H200_MIG)
    driver.read(0)
    clock.now += 5
    found = driver.read(0)
    assert found.utilization == Utilization()
    assert [(one.gpu_instance, one.compute_instance, one.profile) for one in found.mig.instances] == [
        (1, 0, "3g.71gb"),
        (2, 0, "2g.35gb"),
        (3, 0, "1g.18gb"),
        (4, 0, "1g.18gb"),
    ]
    assert found.mig.instances[0].memory.total_bytes == 56533057536
    assert all(one.uuid.startswith("MIG-") and 0.6 < one.activity.graphics_ratio < 0.8 for one in found.mig.instances)


def test_instances_that_were_destroyed_are_forgotten_and_their_samples_freed(open_card):
    freed = []

    def wrap(library):
        return Fakes(library, nvmlGpmSampleFree=lambda one: (freed.append(1), library.nvmlGpmSampleFree(one))[1])

    driver, machine = open_card(H200_MIG, wrap)
    for _ in range(2):
        driver.read(0)
    machine.profile = replace(H200_MIG, mig=("3g.71gb",))
    assert len(driver.read(0).mig.instances) == 1
    assert len(freed) == 6


def test_what_splitting_a_gpu_takes_away_comes_back_when_it_is_whole_again(open_card, clock):
    driver, machine = open_card(H200_MIG)
    assert driver.read(0).rows.pending is None
    machine.profile = H200
    clock.now += 30
    driver.read(0)
    whole = driver.read(0)
    assert (whole.mig, whole.rows.pending, whole.utilization.gpu_ratio) == (Mig(enabled=False), False, 0.7)


def test_optional_subjects_are_read_only_where_they_are_wanted(open_card):
    plain = open_card(RTX)[0].read(0)
    assert (plain.fans.speed_ratio, plain.bar1.total_bytes, plain.media.encoder_ratio) == ({}, None, None)
    rich = open_card(RTX, extras=("fans", "bar1", "media"))[0].read(0)
    assert set(rich.fans.speed_ratio) == {0, 1}
    assert (rich.bar1.total_bytes, rich.media.ofa_ratio) == (17171480576, 0)


def test_what_surprises_one_reader_costs_its_subject_alone_and_is_said_once(open_card, caplog):
    def surprise(handle, out):
        raise ArithmeticError("nobody expects this")

    driver, _ = open_card(H200, lambda library: Fakes(library, nvmlDeviceGetUtilizationRates=surprise))
    for _ in range(3):
        found = driver.read(0)
    assert found.utilization == Utilization()
    assert found.thermals.gpu_celsius == 55
    assert [record.getMessage() for record in caplog.records] == [
        f"GPU 0 ({found.identity.uuid}): cannot read utilization; said once"
    ]
