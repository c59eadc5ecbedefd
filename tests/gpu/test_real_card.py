"""A real GPU, where there is one: ranges and units, not values."""

import time

import pytest

from exporters.gpu.devices.library import library_loads
from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.readers import OPTIONAL_READERS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not library_loads(), reason="this machine has no NVIDIA driver library"),
]


@pytest.fixture(scope="module")
def readings():
    """The first GPU, read three times: at once, and again after two seconds each."""
    driver = Nvml(extras=[one.subject for one in OPTIONAL_READERS])
    driver.open()
    found = []
    for _ in range(3):
        found.append((time.monotonic(), driver.read(0)))
        time.sleep(2)
    driver.close()
    return found


def test_no_reader_is_surprised(readings, caplog):
    driver = Nvml(extras=[one.subject for one in OPTIONAL_READERS])
    driver.open()
    driver.read(0)
    driver.close()
    assert [record.getMessage() for record in caplog.records] == []


def test_values_are_in_base_units(readings):
    found = readings[-1][1]
    assert 2**30 < found.memory.total_bytes < 2**40
    assert 0 < found.power.draw_watts < 2000
    assert 0 < found.thermals.gpu_celsius < 110
    assert 1e8 < found.clocks.max_hertz["sm"] < 1e10
    assert 0 <= (found.utilization.gpu_ratio or 0) <= 1


def test_time_held_down_runs_no_faster_than_the_clock(readings):
    (earlier, first), (later, last) = readings[0], readings[-1]
    for reason, seconds in last.throttling.seconds.items():
        assert 0 <= seconds - first.throttling.seconds[reason] <= 1.1 * (later - earlier)


def test_the_margin_is_what_is_left_to_the_slowdown_threshold(readings):
    found = readings[-1][1].thermals
    if found.margin_celsius is None or found.slowdown_celsius is None:
        pytest.skip("this card reports no margin")
    assert abs(found.slowdown_celsius - found.gpu_celsius - found.margin_celsius) <= 3


def test_activity_comes_from_the_second_reading_on_where_there_is_any(readings):
    if readings[1][1].activity.graphics_ratio is None:
        pytest.skip("this card has no GPM")
    assert readings[0][1].activity.graphics_ratio is None
    assert 0 <= readings[2][1].activity.graphics_ratio <= 1
