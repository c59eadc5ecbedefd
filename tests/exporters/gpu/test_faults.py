"""Faults other than hangs, against the whole exporter over HTTP: errors, expected GPUs, broken drivers."""

import json
import re
import subprocess
import sys
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.catalogue.xid import FATAL
from tests.exporters.gpu.conftest import INTERVAL

SENSORS = ("gpu_temperature_celsius", "gpu_power_watts", "gpu_memory_used_bytes", "gpu_energy_joules_total")
IDLE = ("--source", "simulated", "--simulated-load-url", "")
XID_79 = "NVRM: Xid (PCI:0000:18:00): 79, pid=1234, name=python, GPU has fallen off the bus."


def xids(exporter, gpu: int) -> dict[str, float]:
    """Counts of a GPU that are not 0, by code."""
    counted = rf'^gpu_xid_errors_total\{{gpu="{gpu}",.*xid="(\d+)"\}} (\S+)'
    found = re.findall(counted, exporter.get("/metrics"), re.MULTILINE)
    return {code: float(count) for code, count in found if float(count)}


def until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def listening(start_shared, tmp_path_factory):
    """Four GPUs whose XIDs are heard, with a kernel log beside; each test takes others of them, number 3 has none."""
    log = tmp_path_factory.mktemp("listening") / "kern.log"
    log.write_text("")
    exporter = start_shared(*IDLE, "--gpus", "4", "--kernel-log", str(log))
    exporter.kernel_log = log
    exporter.until(lambda samples: ("gpu_scrape_xid_watcher_heartbeat_timestamp_seconds", "") in samples)
    return exporter


def test_every_fatal_xid_is_there_at_0_before_the_first(listening):
    page = listening.get("/metrics")
    shown = re.findall(r'^gpu_xid_errors_total\{gpu="3",.*xid="(\d+)"\} 0.0$', page, re.MULTILINE)
    assert sorted(map(int, shown)) == sorted(FATAL)
    assert 'gpu_xid_last_seen_timestamp_seconds{gpu="3"' not in page


def test_an_xid_counts_once_although_the_driver_and_the_kernel_log_tell_of_it(listening):
    listening.patch("/simulator/gpus/0", {"xid": 79})
    until(lambda: xids(listening, 0) == {"79": 1})
    with listening.kernel_log.open("a") as file:
        file.write(f"{XID_79}\n")
        file.write("nvidia-nvswitch0: SXid (PCI:0000:c5:00.0): 12028, Non-fatal, Link 32 egress error\n")
    until(lambda: "nvswitch_errors_total" in listening.get("/metrics"))
    page = listening.get("/metrics")
    assert 'nvswitch_errors_total{nvswitch="nvidia-nvswitch0",sxid="12028"} 1.0' in page
    assert xids(listening, 0) == {"79": 1}
    assert "gpu_scrape_kernel_log_readable 1.0" in page


def test_a_lost_gpu_keeps_its_xids_and_the_others_are_heard_on(listening):
    restarts = ("gpu_scrape_process_restarts_total", "watcher")
    before = listening.labelled()[restarts]
    listening.patch("/simulator/gpus/1", {"xid": 79, "state": "lost"})
    lost = listening.until(lambda samples: samples[("gpu_up", "1")] == 0 and xids(listening, 1) == {"79": 1})
    assert abs(lost[("gpu_xid_last_seen_timestamp_seconds", "1")] - time.time()) < 10
    # The loss has taken the event set with it: another one hears of the GPUs that are left.
    until(lambda: listening.labelled()[restarts] == before + 1)
    heartbeat = ("gpu_scrape_xid_watcher_heartbeat_timestamp_seconds", "")
    since = time.time()
    listening.until(lambda samples: samples[heartbeat] > since)
    listening.patch("/simulator/gpus/2", {"xid": 31})
    listening.until(lambda samples: ("gpu_xid_last_seen_timestamp_seconds", "2") in samples)


def test_a_gpu_that_is_missing_after_a_restart_is_down_under_its_uuid(start, tmp_path):
    memory = ("--expected-gpus", "remember", "--state-file", str(tmp_path / "gpus.json"))
    before = start(*IDLE, "--gpus", "3", *memory)
    uuid = json.loads(before.get("/simulator/gpus"))[2]["uuid"]
    before.until(lambda samples: samples.get(("gpu_up", "2")) == 1)
    before.stop()
    after = start(*IDLE, "--gpus", "2", *memory)
    samples = after.until(lambda samples: ("gpu_up", "2") in samples)
    assert [samples[("gpu_up", index)] for index in "012"] == [1, 1, 0]
    assert (samples[("gpu_scrape_expected_gpus", "")], samples[("gpu_scrape_listed_gpus", "")]) == (3, 2)
    assert samples[("gpu_last_error_code", "2")] == 28
    assert f'gpu_up{{gpu="2",uuid="{uuid}"}} 0.0' in after.get("/metrics")
    assert f"GPU 2 {uuid} does not answer" in after.log()


def test_a_number_expects_gpus_that_nobody_has_ever_seen(start):
    exporter = start(*IDLE, "--gpus", "1", "--expected-gpus", "3", "--state-file", "")
    exporter.until(lambda samples: samples.get(("gpu_up", "0")) == 1)
    page = exporter.get("/metrics")
    assert 'gpu_up{gpu="1",uuid=""} 0.0' in page
    assert 'gpu_up{gpu="2",uuid=""} 0.0' in page


@pytest.mark.parametrize(("state", "code"), [("not_loaded", 9), ("mismatch", 18)])
def test_a_broken_driver_is_named_by_its_code_and_heals_in_a_new_process(simulated, state, code):
    restarts = ("gpu_scrape_process_restarts_total", "reader")
    before = simulated.labelled()[restarts]
    assert simulated.patch("/simulator/driver", {"state": state}) == (200, {"state": state})
    broken = simulated.until(lambda samples: samples[("gpu_scrape_driver_up", "")] == 0)
    assert broken[("gpu_scrape_driver_error_code", "")] == code
    assert ("gpu_scrape_listed_gpus", "") not in broken
    assert (broken[("gpu_up", "0")], broken[("gpu_up", "1")]) == (0, 0)
    assert not any((sensor, "0") in broken for sensor in SENSORS)
    assert simulated.request("GET", "/healthz")[0] == 200
    simulated.patch("/simulator/driver", {"state": "ok"})
    mended = simulated.until(
        lambda samples: samples[("gpu_up", "0")] == 1 and samples[("gpu_scrape_driver_up", "")] == 1
    )
    assert ("gpu_scrape_driver_error_code", "") not in mended
    assert simulated.log().count("driver does not answer") == simulated.log().count("driver answers again") == 1
    assert ("gpu_last_error_code", "0") not in mended
    assert simulated.labelled()[restarts] > before


def parts_of(exporter, gpu: str) -> dict[tuple[str, ...], float]:
    """Samples of a GPU's memory cells and links, but not what these carry, by name and values of further labels."""
    return {
        (sample.name, *(value for label, value in sample.labels.items() if label not in ("gpu", "uuid"))): sample.value
        for family in text_string_to_metric_families(exporter.get("/metrics"))
        for sample in family.samples
        if sample.labels.get("gpu") == gpu
        and sample.name.startswith(("gpu_ecc", "gpu_recovery", "gpu_row", "gpu_nvlink", "gpu_pcie"))
        and "_bytes" not in sample.name
    }


def differences(after, before):
    return {name: value - before[name] for name, value in after.items() if value != before[name]}


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (
            {"sram_worn": True},
            {
                ("gpu_ecc_sram_threshold_exceeded",): 1,
                ("gpu_ecc_sram_lifetime_uncorrected_errors_total", "l2"): 10,
                ("gpu_ecc_lifetime_uncorrected_errors_total",): 10,
            },
        ),
        ({"recovery_action": 2}, {("gpu_recovery_action",): 2}),
        ({"pcie_lanes": 8}, {("gpu_pcie_link_lanes",): -8}),
    ],
    ids=["sram_worn", "recovery_action", "pcie_lanes"],
)
def test_a_worn_part_shows_in_its_own_samples_alone_until_it_is_given_back(simulated, fault, shown):
    before, neighbour = parts_of(simulated, "1"), parts_of(simulated, "0")
    simulated.patch("/simulator/gpus/1", fault)
    assert until(lambda: differences(parts_of(simulated, "1"), before)) == shown
    assert parts_of(simulated, "0") == neighbour
    simulated.patch("/simulator/gpus/1", dict.fromkeys(fault))
    until(lambda: parts_of(simulated, "1") == before)
    assert parts_of(simulated, "0") == neighbour


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("nvlink_errors_per_second", ("gpu_nvlink_errors_total", "replay")),
        ("pcie_replays_per_second", ("gpu_pcie_replays_total",)),
    ],
)
def test_errors_of_a_link_are_counted_alone_until_they_are_given_back(simulated, field, shown):
    before, neighbour = parts_of(simulated, "1"), parts_of(simulated, "0")
    simulated.patch("/simulator/gpus/1", {field: 5})
    until(lambda: differences(parts_of(simulated, "1"), before).get(shown, 0) >= 10)
    assert set(differences(parts_of(simulated, "1"), before)) == {shown}
    simulated.patch("/simulator/gpus/1", {field: None})
    time.sleep(3 * INTERVAL)
    counted = parts_of(simulated, "1")
    time.sleep(1 + 3 * INTERVAL)  # simulated GPUs move in steps of a second
    assert parts_of(simulated, "1") == counted
    assert parts_of(simulated, "0") == neighbour


def test_no_gpus_are_a_healthy_page_and_said_once(start):
    exporter = start(*IDLE, "--gpus", "0")
    samples = exporter.until(lambda samples: ("gpu_scrape_listed_gpus", "") in samples)
    assert (samples[("gpu_scrape_listed_gpus", "")], samples[("gpu_scrape_expected_gpus", "")]) == (0, 0)
    assert samples[("gpu_scrape_driver_up", "")] == 1
    assert not any(name == "gpu_up" for name, _ in samples)
    time.sleep(0.5)
    assert exporter.log().count("lists no GPU") == 1


def test_a_scenario_is_played(start, tmp_path):
    file = tmp_path / "scenario.json"
    file.write_text('[{"at_seconds": 0.1, "path": "/simulator/gpus/1", "body": {"state": "lost"}}]')
    exporter = start(*IDLE, "--simulated-scenario", str(file))
    exporter.until(lambda samples: samples.get(("gpu_up", "1")) == 0)
    assert "the scenario is over" in exporter.log()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--simulated-scenario", "/nonexistent.json"), "cannot read /nonexistent.json: No such file"),
        (("--expected-gpus", "/nonexistent.txt"), "cannot read the expected GPUs from /nonexistent.txt: No such file"),
        (("--expected-gpus", "remember", "--state-file", "/proc/gpus.json"), "set --state-file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_2(arguments, says):
    command = [sys.executable, "-m", "exporters.gpu", "--source", "simulated", "--listen-address", "127.0.0.1:0"]
    found = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 2
    assert says in found.stderr
    assert found.stderr.count("\n") == 1
