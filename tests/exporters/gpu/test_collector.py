"""All GPUs together: who answered, who did not, and what is said about it."""

import pynvml
import pytest

from exporters.gpu.collector import Collector
from exporters.gpu.devices.errors import DeviceLost, DriverMismatch, DriverMissing
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200
from exporters.gpu.sweep import DeviceHung, Refused


@pytest.fixture
def collector(sweeper, clock):
    return Collector(sweeper, wall=lambda: 5.0, clock=clock)


def places(collection):
    return (
        [reading.identity.index for reading in collection.readings],
        [(absentee.index, absentee.uuid, type(absentee.error)) for absentee in collection.absentees],
    )


def test_a_gpu_that_is_lost_stays_on_the_list_by_its_uuid_until_it_is_back(collector, machine):
    uuid = machine.observe(1).uuid
    collector.collect()
    machine.change(1, {"state": "lost"})
    assert places(collector.collect()) == ([0], [(1, uuid, DeviceLost)])
    machine.change(1, {"state": None})
    assert places(collector.collect()) == ([0, 1], [])


def test_a_gpu_that_was_lost_from_the_start_has_no_uuid(collector, machine):
    machine.change(0, {"state": "lost"})
    assert places(collector.collect()) == ([1], [(0, "", DeviceLost)])


def test_a_gpu_that_the_driver_no_longer_lists_is_lost(collector, machine, library):
    collector.collect()
    machine.gpu_count = 1
    assert places(collector.collect()) == ([0], [(1, machine.observe(1).uuid, DeviceLost)])


@pytest.mark.parametrize(("state", "error"), [("not_loaded", DriverMissing), ("mismatch", DriverMismatch)])
def test_a_broken_driver_costs_every_reading_and_heals_by_itself(collector, machine, state, error):
    collector.collect()
    machine.set_driver(state)
    broken = collector.collect()
    assert isinstance(broken.driver_error, error)
    assert [absentee.index for absentee in broken.absentees] == [0, 1]
    assert broken.readings == ()
    machine.set_driver("ok")
    mended = collector.collect()
    assert mended.driver_error is None
    assert places(mended) == ([0, 1], [])


def test_a_driver_that_breaks_between_two_gpus_leaves_no_half_collection(collector, library):
    library.codes["nvmlDeviceGetPowerUsage"] = pynvml.NVML_ERROR_UNINITIALIZED
    library.codes["nvmlDeviceGetFieldValues"] = pynvml.NVML_ERROR_NO_DATA
    found = collector.collect()
    assert found.readings == ()
    assert found.driver_error is not None


def test_device_nodes_that_a_container_lost_are_a_broken_driver(collector, library):
    library.codes["nvmlDeviceGetHandleByIndex_v2"] = pynvml.NVML_ERROR_UNKNOWN
    found = collector.collect()
    assert "a container whose device nodes were taken away" in str(found.driver_error)
    assert found.driver_error.code == 999
    library.codes.clear()
    assert places(collector.collect()) == ([0, 1], [])


def test_a_quarantined_gpu_is_tried_when_its_time_is_over_and_longer_left_alone_each_time(machine, sweeper, clock):
    touched = []

    def hanging(skip):
        for finding in sweeper(skip):
            index = getattr(getattr(finding, "reading", None), "identity", None)
            if index is not None and index.index == 1:
                touched.append(clock.now - 1000)
                finding = Refused(1, DeviceHung("GPU 1 did not answer"))
            yield finding

    collector = Collector(hanging, quarantine_seconds=10, clock=clock)
    for _ in range(150):
        collector.collect()
        collector.retry()
        clock.now += 1
    assert touched == [0, 10, 30, 70, 130]


def test_a_list_of_another_length_ends_every_quarantine(machine, sweeper, clock):
    hung = [Refused(0, DeviceHung("GPU 0 did not answer"))]
    collector = Collector(lambda skip: iter([*hung, *sweeper(skip | {0})] if hung else sweeper(skip)), clock=clock)
    machine.gpu_count = 1
    collector.collect()
    hung.clear()
    assert [one.quarantined for one in collector.collect().records] == [True]
    machine.gpu_count = 2
    collector.collect()
    assert places(collector.collect()) == ([0, 1], [])


def test_no_gpus_is_no_error(sweeper, machine):
    machine.gpu_count = 0
    found = Collector(sweeper).collect()
    assert (found.readings, found.absentees, found.driver_error) == ((), (), None)


def test_each_change_is_logged_once(collector, machine, caplog):
    caplog.set_level("INFO", "exporters.gpu")
    collector.collect()
    for state in ("lost", "lost", None, None):
        machine.change(1, {"state": state})
        collector.collect()
    for driver in ("not_loaded", "not_loaded", "ok"):
        machine.set_driver(driver)
        collector.collect()
    uuid = machine.observe(1).uuid
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(",")[0] for line in lines] == [
        f"GPU 1 {uuid} does not answer",
        f"GPU 1 {uuid} answers again",
        "driver does not answer",
        "driver answers again",
    ]


def test_uuids_are_those_of_the_seed():
    first, again = (SimulatedMachine(H200, 1, seed=3).observe(0).uuid for _ in range(2))
    assert first == again
