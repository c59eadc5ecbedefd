"""Small real servers, one per way in which a service can answer; and the program itself."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

DONE = b"data: [DONE]\n\n"


def chunk(text: str, finish_reason: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"object": "text_completion", "choices": [choice]} | more).encode() + b"\n\n"


ANSWERS = {
    "good": b": comment\n\n" + chunk("Pa") + chunk("ris") + b'data: {"choices": [], "usage": {}}\r\n\r\n' + DONE,
    "keeps_open": chunk("Paris") + DONE,
    "slow_first_token": chunk("Paris") + DONE,
    "hangs": b"",
    "stalls": chunk("Paris"),
    "cut": chunk("Paris"),
    "garbage": b"<html>hello</html>\n",
    "error_event": b'data: {"error": {"message": "engine died"}}\n\n' + DONE,
    "no_text": chunk("") + DONE,
}
PACED = {
    "paced": (chunk("Pa"), chunk("r"), chunk("i"), chunk("s", "length"), DONE),
    "paced_and_short": (chunk("Paris"), chunk("."), chunk("", "stop"), DONE),
    "paced_in_big_pieces": (chunk("Par"), chunk("is", "length"), DONE),
}
PACE = 0.1
"""Seconds between two writes of these."""


class Service(ThreadingHTTPServer):
    """Answers as the first part of the path says: http://host:port/<behaviour>/v1/completions."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.released = threading.Event()
        self.requests: list[tuple[str, str, dict[str, str], dict[str, object]]] = []
        self.models = ["tiny"]
        self.says = "Paris"
        """What `says` answers."""
        self.fingerprint: str | None = None
        self.root: str | None = None
        """What is loaded under the names, as the list of models says it."""
        self.lists = True
        """Whether there is a list of models."""

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}"


class Handler(BaseHTTPRequestHandler):
    """Has a model list and one kind of completion per behaviour."""

    server: Service
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.requests.append(("GET", self.path, dict(self.headers), {}))
        if self.path.startswith("/mute_list/"):
            self.server.released.wait(10)
        self.send_response(200 if self.server.lists else 404)
        self.end_headers()
        # Like engines that stamp the list with the time of the answer.
        more = {"created": time.time_ns(), "root": self.server.root}
        self.wfile.write(json.dumps({"data": [{"id": name} | more for name in self.server.models]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(("POST", self.path, dict(self.headers), body))
        behaviour = self.path.split("/")[1]
        refused = behaviour == "error_500" or body["model"] not in self.server.models
        self.send_response((500 if behaviour == "error_500" else 404) if refused else 200)
        self.end_headers()
        if not refused:
            self.answer(behaviour)

    def answer(self, behaviour: str) -> None:
        if behaviour == "flood":
            return self.flood()
        if behaviour == "slow_first_token":
            time.sleep(0.3)
        if behaviour in ("says", "mute_list"):
            self.wfile.write(chunk(self.server.says, system_fingerprint=self.server.fingerprint) + DONE)
            return None
        for piece in PACED.get(behaviour, ()):
            self.wfile.write(piece)
            time.sleep(PACE)
        self.wfile.write(ANSWERS.get(behaviour, b""))
        if behaviour in ("hangs", "stalls", "keeps_open"):
            self.server.released.wait(10)
        return None

    def flood(self) -> None:
        """Far more than a completion, on one endless line."""
        try:
            for _ in range(256):
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextmanager
def serving() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    """For tests that only look."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def refused_url() -> Iterator[str]:
    """An address that is bound, so that nobody else takes it, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Probe:
    """A running probe."""

    def __init__(self, folder: Path, config: str) -> None:
        self.file = folder / "probe.yaml"
        self.file.write_text(config)
        self.state = folder / "state.json"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "exporters.probe",
                    "--config-file",
                    self.file,
                    "--listen-address",
                    "127.0.0.1:0",
                    "--state-file",
                    self.state,
                ],
                stderr=log,
            )
        self.url = self.wait_for_log(r"serving (http://\S+)/metrics")

    def wait_for_log(self, pattern: str) -> str:
        deadline = time.monotonic() + 15
        while not (found := re.search(pattern, self.log.read_text())):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return found[1] if found.groups() else found[0]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def samples(self) -> dict[tuple[str, ...], float]:
        page = httpx.get(f"{self.url}/metrics").text
        return {
            (sample.name, sample.labels["target"], *([sample.labels["reason"]] if "reason" in sample.labels else [])): (
                sample.value
            )
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

    def wait_until_attempted(self, *targets: str) -> dict[tuple[str, ...], float]:
        deadline = time.monotonic() + 15
        while not all((samples := self.samples()).get(("llm_probe_success", name)) is not None for name in targets):
            assert time.monotonic() < deadline, samples
            time.sleep(0.05)
        return samples

    def wait_for(self, value: float, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Until a sample has a value."""
        deadline = time.monotonic() + 15
        while (samples := self.samples()).get((name, *labels)) != value:
            assert time.monotonic() < deadline, f"{samples}\n{self.log.read_text()}"
            time.sleep(0.05)
        return samples


@pytest.fixture(scope="session")
def launch() -> type[Probe]:
    """The program, for fixtures that share one."""
    return Probe


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Probe]]:
    """Start probes; all have ended after the test. A later one finds the state of an earlier one."""
    running: list[Probe] = []

    def begin(config: str) -> Probe:
        running.append(Probe(tmp_path, config))
        return running[-1]

    yield begin
    for started in running:
        started.end()
