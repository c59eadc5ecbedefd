"""Driver calls that never return, against the whole exporter over HTTP."""

import os
import signal
import time
from pathlib import Path

import pytest

from exporters.gpu.ending import ENDS_WITHIN_SECONDS

REMAINS = {
    "gpu_up",
    "gpu_reading_timestamp_seconds",
    "gpu_quarantined",
    "gpu_xid_errors_total",
    "gpu_last_error_code",
}
KILLS = ("gpu_scrape_watchdog_kills_total", "reader")


def listening(start, gpus):
    """An exporter whose GPUs are read at least once and listened to."""
    exporter = start("--source", "simulated", "--gpus", gpus, "--simulated-load-url", "", "--call-timeout", "0.5")
    exporter.until(lambda samples: ("gpu_scrape_xid_watcher_heartbeat_timestamp_seconds", "") in samples)
    return exporter


@pytest.fixture(scope="module")
def shared(start_shared):
    return listening(start_shared, "8")


@pytest.fixture
def eight(shared):
    """Eight healthy GPUs; shared, so that what was counted before is not 0."""
    shared.restore()
    return shared


@pytest.fixture
def ending(start):
    """Two GPUs for a test that ends the exporter."""
    return listening(start, "2")


def children(exporter) -> dict[int, str]:
    """Pids of the exporter's processes, with what they do."""
    found = {}
    for pid in map(int, Path(f"/proc/{exporter.process.pid}/task/{exporter.process.pid}/children").read_text().split()):
        found[pid] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3]
    for task in Path(f"/proc/{exporter.process.pid}/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3]
    return found


def pid_of(exporter, role) -> int:
    return next(pid for pid, does in children(exporter).items() if does == role)


def test_a_gpu_that_hangs_is_down_alone_and_back_by_itself(eight):
    eight.patch("/simulator/gpus/3", {"state": "hang"})
    asked, slowest = time.monotonic(), 0.0
    while (samples := eight.samples())[("gpu_up", "3")] != 0:
        slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 1
        time.sleep(0.02)
        asked = time.monotonic()
    assert {name for name, gpu in samples if gpu == "3"} == REMAINS
    assert (samples[("gpu_last_error_code", "3")], samples[("gpu_quarantined", "3")]) == (-1, 1)
    assert samples[("gpu_scrape_driver_up", "")] == 1

    for index in "01245 67".replace(" ", ""):
        eight.patch(f"/simulator/gpus/{index}", {"temperature_celsius": 60 + int(index)})
    healthy = eight.until(lambda samples: samples[("gpu_temperature_celsius", "7")] == 67)
    assert [healthy[("gpu_temperature_celsius", index)] for index in "0124567"] == [60, 61, 62, 64, 65, 66, 67]
    eight.until(lambda _: eight.request("GET", "/healthz")[0] == 200)  # it lags behind while other tests take the CPU

    eight.patch("/simulator/gpus/3", {"state": None})
    mended = eight.until(lambda samples: samples[("gpu_up", "3")] == 1)
    assert mended[("gpu_temperature_celsius", "3")] > 20
    assert mended[("gpu_quarantined", "3")] == 0
    assert eight.log().count("GPU 3 ") == eight.log().count("does not answer") + eight.log().count("answers again") + 1


def test_two_gpus_that_hang_at_once_cost_no_third(eight):
    for index in (2, 5):
        eight.patch(f"/simulator/gpus/{index}", {"state": "hang"})
    sick = eight.until(lambda samples: samples[("gpu_up", "2")] + samples[("gpu_up", "5")] == 0)
    assert [sick[("gpu_up", index)] for index in "013467"] == [1] * 6
    assert sick[("gpu_scrape_driver_up", "")] == 1


def test_a_gpu_that_goes_on_hanging_is_left_alone_longer_each_time(eight):
    before = eight.labelled()[KILLS]
    eight.patch("/simulator/gpus/0", {"state": "hang"})
    eight.until(lambda samples: samples[("gpu_up", "0")] == 0)
    time.sleep(2.5)
    # At an interval of 0.2 s: killed at once, then after 0.4, 0.8, 1.6 ... s and the timeout each. Without a pause
    # there would be 5 more.
    assert 1 <= eight.labelled()[KILLS] - before <= 3
    assert len(children(eight)) == 2


def test_a_reader_that_dies_is_replaced_and_costs_no_reading(eight):
    restarts = ("gpu_scrape_process_restarts_total", "reader")
    before = eight.labelled()[restarts]
    os.kill(pid_of(eight, "read"), signal.SIGKILL)
    restarted = eight.until(lambda samples: eight.labelled()[restarts] == before + 1)
    assert eight.until(lambda samples: all(samples[("gpu_up", str(index))] == 1 for index in range(8)))
    assert restarted[("gpu_scrape_abandoned_processes", "")] == 0


def test_a_reader_that_stands_still_is_killed_and_replaced(eight):
    before = eight.labelled()[KILLS]
    stopped = pid_of(eight, "read")
    os.kill(stopped, signal.SIGSTOP)
    eight.until(lambda samples: eight.labelled()[KILLS] == before + 1)
    eight.until(lambda samples: all(samples[("gpu_up", str(index))] == 1 for index in range(8)))
    assert stopped not in children(eight)


def test_no_process_outlives_the_exporter_even_inside_a_call_that_hangs(ending):
    ending.patch("/simulator/gpus/0", {"state": "hang"})
    time.sleep(0.3)
    left = children(ending)
    assert sorted(left.values()) == ["read", "watch"]
    ending.process.kill()
    ending.process.wait(5)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() and not zombie(pid) for pid in left):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_hanging_gpu_does_not_keep_the_process_from_ending(ending):
    ending.patch("/simulator/gpus/0", {"state": "hang"})
    time.sleep(0.3)
    asked = time.monotonic()
    assert ending.stop() == 0
    assert time.monotonic() - asked < ENDS_WITHIN_SECONDS
    assert "Traceback" not in ending.log()
