"""The whole exporter as a process, over HTTP."""

import http.client
import json
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from alerts.drills.drill import DrillRefused
from alerts.drills.gpus import set_gpu
from exporters.gpu.devices.library import library_loads

NO_DRIVER = pytest.mark.skipif(library_loads(), reason="this machine has NVIDIA's driver library")
REMAINS = {"gpu_up", "gpu_reading_timestamp_seconds", "gpu_quarantined", "gpu_xid_errors_total"}
"""What a GPU that does not answer still shows."""
SENSORS = ("gpu_temperature_celsius", "gpu_power_watts", "gpu_memory_used_bytes", "gpu_energy_joules_total")


def test_a_lost_gpu_is_down_and_silent_and_its_neighbour_exact_until_it_is_mended(simulated):
    simulated.patch("/simulator/gpus/1", {"temperature_celsius": 48, "power_watts": 333})
    assert simulated.patch("/simulator/gpus/0", {"state": "lost"})[1]["state"] == "lost"
    lost = simulated.until(lambda samples: samples[("gpu_up", "0")] == 0 and samples[("gpu_power_watts", "1")] == 333)
    assert {name for name, gpu in lost if gpu == "0"} == REMAINS | {"gpu_last_error_code"}
    assert lost[("gpu_last_error_code", "0")] == 15
    assert lost[("gpu_up", "1")] == 1
    assert lost[("gpu_temperature_celsius", "1")] == 48
    simulated.patch("/simulator/gpus/0", {"state": None})
    mended = simulated.until(lambda samples: samples[("gpu_up", "0")] == 1)
    assert all((sensor, "0") in mended for sensor in SENSORS)


def test_an_overheated_gpu_shows_no_margin(simulated):
    simulated.patch("/simulator/gpus/0", {"temperature_celsius": 95})
    found = simulated.until(lambda samples: samples[("gpu_temperature_celsius", "0")] == 95)
    assert found[("gpu_temperature_margin_celsius", "0")] == -6
    assert found[("gpu_temperature_margin_celsius", "1")] > 50


def test_the_page_comes_in_the_format_and_encoding_that_is_asked_for(unchanged):
    _, plain, _ = unchanged.request("GET", "/metrics")
    assert plain["Content-Type"].startswith("text/plain; version=0.0.4")
    accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"
    _, headers, body = unchanged.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert headers["Content-Encoding"] == "gzip"
    assert body[:2] == b"\x1f\x8b"


def test_the_control_api_does_not_answer_through_a_proxy(unchanged):
    for method, path in (("GET", "/simulator/gpus"), ("PATCH", "/simulator/driver")):
        status, _, body = unchanged.request(method, path, {"state": "mismatch"}, {"X-Forwarded-For": "10.0.0.1"})
        assert status == 403
        assert "proxy" in json.loads(body)["error"]
    assert json.loads(unchanged.get("/simulator/driver")) == {"state": "ok"}


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, ("PATCH", "/simulator/gpus/0", b"{")),
        (400, ("PATCH", "/simulator/gpus/0", {"temperature_celsius": "hot"})),
        (400, ("PATCH", "/simulator/gpus/0", {"xid": "79"})),
        (404, ("PATCH", "/simulator/gpus/2", {})),
        (404, ("GET", "/simulator/nothing")),
        (413, ("PATCH", "/simulator/gpus/0", b"x" * (64 * 1024 + 1))),
        (411, ("PATCH", "/simulator/gpus/0", b"0\r\n\r\n", {"Transfer-Encoding": "chunked"})),
        (405, ("DELETE", "/simulator/gpus")),
    ],
)
def test_bad_requests_get_a_json_error(unchanged, status, request_):
    found, _, answer = unchanged.request(*request_)
    assert found == status
    assert json.loads(answer)["error"]


def test_the_load_of_the_service_moves_the_simulated_gpus(start, service):
    exporter = start("--source", "simulated", "--gpus", "1", "--simulated-load-url", f"{service}/metrics")
    busy = exporter.until(lambda samples: samples.get(("gpu_utilization_ratio", "0"), 0) > 0.5)
    assert busy[("gpu_power_watts", "0")] > 200
    assert busy[("gpu_memory_used_bytes", "0")] > 70e9


def test_an_unknown_page_names_the_known_ones(unchanged):
    status, _, body = unchanged.request("GET", "/metric")
    assert (status, b"/metrics" in body) == (404, True)


def test_metrics_takes_no_post(unchanged):
    status, headers, _ = unchanged.request("POST", "/metrics", b"x")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_one_connection_carries_many_scrapes(unchanged):
    address = urlsplit(unchanged.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    for _ in range(3):
        connection.request("GET", "/metrics")
        assert connection.getresponse().read().startswith(b"# HELP")
    connection.close()


def test_the_landing_page_says_that_gpus_are_simulated(unchanged):
    assert "These GPUs are simulated." in unchanged.get("/")


@dataclass
class OnlyTheExporter:
    """As much of a stack as a drill of a GPU needs."""

    exporter: str

    def url(self, part):
        return {"gpu-exporter": self.exporter}[part]


@NO_DRIVER
def test_real_gpus_have_no_control_api_nor_drills_and_a_missing_library_is_a_code_and_no_crash(start):
    exporter = start("--source", "nvml", "--kernel-log", "")
    samples = exporter.until(lambda samples: ("gpu_scrape_driver_up", "") in samples)
    assert (samples[("gpu_scrape_driver_up", "")], samples[("gpu_scrape_driver_error_code", "")]) == (0, 12)
    assert exporter.request("GET", "/simulator/gpus")[0] == 404
    with pytest.raises(DrillRefused, match="GPU_EXPORTER_SOURCE=simulated"):
        set_gpu(OnlyTheExporter(exporter.url), state="lost")
    assert exporter.request("GET", "/healthz")[0] == 200
    assert len(re.findall("driver does not answer", exporter.log())) == 1


@NO_DRIVER
def test_auto_says_so_when_it_simulates(start):
    exporter = start(environment={"GPU_EXPORTER_SOURCE": "auto", "GPU_EXPORTER_GPUS": "1"})
    samples = exporter.until(lambda samples: ("gpu_up", "0") in samples)
    assert ("gpu_up", "1") not in samples
    assert exporter.log().count("no NVIDIA driver library here: GPUs are simulated") == 1


def test_a_taken_port_is_one_line_and_2():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "exporters.gpu", "--source", "simulated", "--listen-address", address]
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert found.returncode == 2
    assert found.stderr == (f"gpu exporter: cannot listen on {address}: Address already in use; set --listen-address\n")
