"""verify compares what runs with what is committed: asserted against a real Prometheus and a real Alertmanager."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from alertmanager import generate as routes
from alerts import generate as rules
from alerts.output import write
from alerts.timing import load
from compose import inside, setup
from compose.discovery import Replicas
from compose.verify import SOURCES, Pages, Verification
from dashboards.boards import BOARDS

START_SECONDS = 20
PASSWORD = "p4ss"
LINKS = setup.links({})


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[str, list], str]]:
    """Start a program and return its URL once it is ready; ended after the module."""
    running: list[subprocess.Popen] = []

    def run(url: str, command: list) -> str:
        running.append(subprocess.Popen([*command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        transport = httpx.HTTPTransport(retries=0)
        with httpx.Client(transport=transport, trust_env=False) as client:
            for _ in range(START_SECONDS * 10):
                try:
                    if client.get(f"{url}/-/ready").status_code == 200:
                        return url
                except httpx.TransportError:
                    threading.Event().wait(0.1)
        return pytest.fail(f"{command[0]} is not ready")

    yield run
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Rules as setup renders them."""
    folder = tmp_path_factory.mktemp("committed")
    write(rules.render(load(), LINKS), folder / "rules")
    return folder


@pytest.fixture(scope="module")
def committed(tool, free_port, start, folder) -> dict[str, str]:
    """Prometheus and Alertmanager as setup would have them, but for what is scraped."""
    (folder / "slack_url").write_text("http://127.0.0.1:9/\n")
    (folder / "prometheus.yml").write_text("rule_files: [rules/*.yml]\n")
    files = routes.render(load(), LINKS, inside.receivers(), setup.who({}))
    text = files["alertmanager.yml"].replace(str(inside.ALERTMANAGER), str(folder))
    (folder / "alertmanager.yml").write_text(text)
    return {
        name: start(
            url := f"http://127.0.0.1:{free_port()}",
            [
                tool(name),
                f"--config.file={folder / name}.yml",
                f"--storage.{path}={folder / 'data' / name}",
                f"--web.listen-address={url[7:]}",
                *more,
            ],
        )
        for name, path, more in (
            ("prometheus", "tsdb.path", ["--rules.alert.resend-delay=15s"]),
            ("alertmanager", "path", ["--cluster.listen-address="]),
        )
    }


class Grafana(BaseHTTPRequestHandler):
    """As much of Grafana's API as is asked, since no Grafana can be had here."""

    boards: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def do_GET(self) -> None:
        found = self.boards if self.path.startswith("/api/search") else self.sources
        signed_in = self.headers["Authorization"] == httpx.BasicAuth("admin", PASSWORD)._auth_header
        body = json.dumps([{"uid": uid} for uid in found]).encode()
        self.send_response(200 if signed_in else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Grafana) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def problems(
    urls: dict[str, str], environment: dict[str, str] | None = None, rendered: Path = Path(__file__)
) -> list[str]:
    return Verification(environment or {}, urls, lambda: PASSWORD, rendered.parent).problems()


def about(subject: str, found: list[str]) -> list[str]:
    return [line for line in found if line.startswith(f"{subject}:")]


def test_rules_flags_and_routes_that_are_as_committed_are_no_problem(committed: dict[str, str], folder: Path) -> None:
    found = problems(committed, rendered=folder / "prometheus.yml")
    assert [line for subject in ("rules", "flags", "routes") for line in about(subject, found)] == []


def test_a_rule_whose_expression_alone_differs_is_named_by_its_file(
    committed: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "rules", tmp_path / "rules")
    file = tmp_path / "rules" / "service.yml"
    file.write_text(file.read_text().replace("expr: ", "expr: 1 + ", 1))
    found = problems(committed, rendered=tmp_path / "prometheus.yml")
    assert about("rules", found) == ["rules: service.yml is not as committed"]


def test_a_part_that_is_not_watched_is_named(committed: dict[str, str]) -> None:
    assert "targets: node-exporter has none" in problems(committed)


def test_rules_and_flags_of_another_clock_are_named(committed: dict[str, str]) -> None:
    found, resend = problems(committed, {"INFERWATCH_CLOCK": "compressed"}), load().compressed().resend_delay
    assert "rules: group engine is not as committed" in found
    assert about("flags", found) == [f"flags: prometheus resends after 15s, the clock says {resend:g}s"]
    assert about("routes", found) == ["routes: route is not as committed"]


def test_a_rule_that_is_gone_is_named_by_its_group(tool, free_port, start, tmp_path: Path) -> None:
    files = rules.render(load(), LINKS)
    del files["gpu.yml"]
    write(files, tmp_path / "rules")
    (tmp_path / "prometheus.yml").write_text("rule_files: [rules/*.yml]\n")
    url = f"http://127.0.0.1:{free_port()}"
    flags = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    start(url, [tool("prometheus"), *flags, f"--web.listen-address={url[7:]}"])
    found = problems({"prometheus": url}, rendered=tmp_path / "prometheus.yml")
    assert about("rules", found) == ["rules: gpu.yml is not as committed", "rules: group gpu is not as committed"]


def test_a_part_that_does_not_answer_is_a_problem_and_no_crash() -> None:
    found = problems({"prometheus": "http://127.0.0.1:9", "alertmanager": "http://127.0.0.1:9"})
    assert [line.partition(" (")[0] for line in found] == [
        "rules: no answer",
        "targets: no answer",
        "flags: no answer",
        "reading: prometheus: does not answer",
        "routes: no answer",
    ]


def test_a_configuration_that_was_rendered_since_it_was_read_is_told_of(
    committed: dict[str, str], tmp_path: Path
) -> None:
    rendered = tmp_path / "prometheus.yml"
    rendered.touch()
    os.utime(rendered, (0, 0))
    assert about("reading", problems(committed, rendered=rendered)) == []
    os.utime(rendered, (time.time() + 5, time.time() + 5))
    (said,) = about("reading", problems(committed, rendered=rendered))
    assert "docker compose kill -s HUP prometheus" in said


def test_a_missing_board_and_data_source_are_named(
    committed: dict[str, str], grafana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = committed | {"grafana": grafana, "tempo": "http://tempo:3200", "loki": "http://loki:3100"}
    every = tuple(board.uid for board in BOARDS)
    monkeypatch.setattr(Grafana, "boards", every[1:])
    monkeypatch.setattr(Grafana, "sources", SOURCES[:-1])
    found = problems(urls)
    assert about("boards", found) == [f"boards: {every[0]} is missing"]
    assert about("sources", found) == ["sources: loki is missing"]
    monkeypatch.setattr(Grafana, "boards", every)
    monkeypatch.setattr(Grafana, "sources", SOURCES)
    assert about("boards", problems(urls)) == about("sources", problems(urls)) == []


def test_its_health_tells_what_is_wrong_and_its_targets_are_the_replicas() -> None:
    replicas = Replicas("node-3", lambda service: ["x-inference-1"] if service == "inference" else [])
    replicas.look(inside.DISCOVERED[0])
    with Pages(("127.0.0.1", 0), replicas) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        with httpx.Client(base_url=f"http://127.0.0.1:{pages.server_port}", trust_env=False) as client:
            assert client.get("/healthz").status_code == 503
            pages.problems = ["targets: node-exporter is down"]
            assert client.get("/healthz").text == "targets: node-exporter is down\n"
            pages.problems = []
            assert client.get("/healthz").status_code == 200
            assert [target["targets"] for target in client.get("/targets").json()] == [["x-inference-1:8000"]]
            assert client.get("/elsewhere").status_code == 404
            assert client.put("/targets/inference/0").status_code == 200
            assert client.get("/targets").json() == []
            assert client.delete("/targets/inference").status_code == 200
            replicas.look(inside.DISCOVERED[0])
            assert len(client.get("/targets").json()) == 1
            assert client.put("/targets/inference/many").status_code == 404
            assert client.delete("/targets").status_code == 404
        pages.shutdown()
