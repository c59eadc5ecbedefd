"""Simulated GPUs on a clock that tests turn, and the real process on a free port."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.simulator.machine import Changes, SimulatedMachine
from exporters.gpu.simulator.profiles import H200
from exporters.gpu.sweep import sweep

INTERVAL = 0.2
SERVICE_PAGE = (Path(__file__).parent / "service.prom").read_bytes()


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(clock) -> SimulatedMachine:
    return SimulatedMachine(H200, 2, clock=clock)


class WatchedLibrary:
    """The simulated library, which counts its calls and answers chosen ones with a chosen code."""

    def __init__(self, library: SimulatedLibrary) -> None:
        self._library = library
        self.calls: list[str] = []
        self.codes: dict[str, int] = {}

    def __getattr__(self, name: str) -> Callable[..., int]:
        function = getattr(self._library, name)
        if name == "nvmlErrorString":
            return function

        def call(*arguments) -> int:
            self.calls.append(name)
            return self.codes[name] if name in self.codes else function(*arguments)

        return call


@pytest.fixture
def library(machine) -> WatchedLibrary:
    return WatchedLibrary(SimulatedLibrary(machine))


@pytest.fixture
def nvml(library, clock) -> Iterator[Nvml]:
    driver = Nvml(library, clock=clock)
    driver.open()
    yield driver
    driver.close()


@pytest.fixture
def sweeper(nvml, clock) -> Callable:
    """A sweep in this process, on the clock that tests turn."""
    return lambda skip: sweep(nvml, skip, clock=clock)


class Exporter:
    """A running `python -m exporters.gpu`."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self._log = log
        self._log_starts_at = 0
        self.url = ""

    def log(self) -> str:
        return self._log.read_text()[self._log_starts_at :]

    def restore(self) -> None:
        """As it was at its start: every fault taken back, every GPU read again, the log empty. Counts go on."""
        self.patch("/simulator/driver", {"state": "ok"})
        indices = [str(gpu["index"]) for gpu in json.loads(self.get("/simulator/gpus"))]
        for index in indices:
            self.patch(f"/simulator/gpus/{index}", dict.fromkeys(Changes.__annotations__))
        self.until(lambda samples: all(samples.get(("gpu_up", index)) == 1 for index in indices))
        self._log_starts_at += len(self.log())

    def request(self, method: str, path: str, body: object = None, headers: dict | None = None):
        """Status, headers and body; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
        try:
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def get(self, path: str) -> str:
        return self.request("GET", path)[2].decode()

    def patch(self, path: str, body: object) -> tuple[int, dict]:
        status, _, answer = self.request("PATCH", path, body)
        return status, json.loads(answer)

    def samples(self) -> dict[tuple[str, str], float]:
        """Every sample of the page by name and GPU index; the index is empty where there is none."""
        return {
            (sample.name, sample.labels.get("gpu", "")): sample.value
            for family in text_string_to_metric_families(self.get("/metrics"))
            for sample in family.samples
        }

    def labelled(self) -> dict[tuple[str, str], float]:
        """Every sample that has one label but the GPU's, by name and the value of its last label."""
        return {
            (sample.name, list(sample.labels.values())[-1]): sample.value
            for family in text_string_to_metric_families(self.get("/metrics"))
            for sample in family.samples
            if sample.labels
        }

    def until(self, holds: Callable[[dict[tuple[str, str], float]], bool]) -> dict[tuple[str, str], float]:
        """The samples, as soon as they are as wanted."""
        deadline = time.monotonic() + 10
        while not holds(samples := self.samples()):
            assert time.monotonic() < deadline, self.get("/metrics") + self.log()
            time.sleep(INTERVAL / 4)
        return samples

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(5)


Start = Callable[..., Exporter]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Starts exporters whose logs lie in this folder, and ends them."""
    running: list[Exporter] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> Exporter:
        log = folder / f"exporter-{len(running)}.log"
        command = [sys.executable, "-m", "exporters.gpu", "--listen-address", "127.0.0.1:0"]
        command += ["--collection-interval", str(INTERVAL), *arguments]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stderr=stderr, env=os.environ | (environment or {}))
        exporter = Exporter(process, log)
        running.append(exporter)
        deadline = time.monotonic() + 20
        while not (found := re.search(r"on (http://\S+)/metrics", exporter.log())):
            assert process.poll() is None, exporter.log()
            assert time.monotonic() < deadline, exporter.log()
            time.sleep(0.02)
        exporter.url = found[1]
        return exporter

    try:
        yield start
    finally:
        for exporter in running:
            if exporter.process.poll() is None:
                exporter.process.kill()
                exporter.process.wait(5)


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start


def two_idle_gpus(start: Start) -> Exporter:
    exporter = start("--source", "simulated", "--simulated-load-url", "http://127.0.0.1:9/metrics")
    exporter.until(lambda samples: ("gpu_up", "1") in samples)
    return exporter


@pytest.fixture(scope="module")
def start_shared(tmp_path_factory) -> Iterator[Start]:
    """As `start`, for exporters that all tests of a file share: it takes three processes to start one."""
    with starting(tmp_path_factory.mktemp("shared")) as start:
        yield start


@pytest.fixture(scope="module")
def unchanged(start_shared) -> Exporter:
    """As `simulated`, for tests that change nothing on it."""
    return two_idle_gpus(start_shared)


@pytest.fixture
def simulated(unchanged) -> Exporter:
    """Two simulated GPUs that are idle, read at least once; shared, so that what was counted before is not 0."""
    unchanged.restore()
    return unchanged


class Pages(BaseHTTPRequestHandler):
    """An inference service, as far as its metrics go."""

    def do_GET(self):
        body = {"/metrics": SERVICE_PAGE, "/garbage": b"\xff\xfe{{{"}.get(self.path)
        self.send_response(200 if body else 500)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
