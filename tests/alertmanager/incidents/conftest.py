"""What an incident is made of: a Prometheus with the generated rules, targets that fail on command, a busy Slack."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.generate import render as render_rules
from alerts.links import Links
from alerts.output import write
from alerts.timing import Timing, duration
from compose import prometheus


class BusySlack(ThreadingHTTPServer):
    """Slack's rate limit: a burst, then one message a second, and 429 for what is above. Keeps what it took."""

    def __init__(self, burst: int = 10, per_second: float = 1) -> None:
        super().__init__(("127.0.0.1", 0), _SlackHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/slack"
        self.taken: list[tuple[float, dict[str, Any]]] = []
        self.refused = 0
        self._tokens, self._burst, self._rate = float(burst), burst, per_second
        self._seen, self._lock = time.monotonic(), threading.Lock()

    def post(self, attachment: dict[str, Any]) -> bool:
        """Whether the message is taken."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
            self._seen = now
            if self._tokens < 1:
                self.refused += 1
                return False
            self._tokens -= 1
            self.taken.append((now, attachment))
            return True


class _SlackHandler(BaseHTTPRequestHandler):
    server: BusySlack

    def do_POST(self) -> None:
        (attachment,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["attachments"]
        taken = self.server.post(attachment)
        self.send_response(200 if taken else 429)
        self.end_headers()
        self.wfile.write(b"ok" if taken else b"rate_limited")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Engines(ThreadingHTTPServer):
    """Metrics pages of engines, by the path /<service>; those that are down answer 500."""

    request_queue_size = 256  # hundreds of targets are scraped at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _EngineHandler)
        self.down: set[str] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _EngineHandler(BaseHTTPRequestHandler):
    server: Engines

    def do_GET(self) -> None:
        self.send_response(500 if self.path.removeprefix("/") in self.server.down else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def busy_slack() -> Iterator[BusySlack]:
    with BusySlack() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def engines() -> Iterator[Engines]:
    with Engines() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def start_prometheus(
    tool: Callable[[str], Path],
    free_port: Callable[[], int],
    server: type[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Any]]:
    """`start_prometheus(timing, jobs, alertmanagers)`: watches jobs by the stack's rules."""
    with ExitStack() as running:

        def start(timing: Timing, jobs: list[dict[str, Any]], alertmanagers: list[str]) -> Any:
            folder = tmp_path_factory.mktemp("prometheus")
            write(render_rules(timing, Links()), folder / "rules")
            (folder / "prometheus.yml").write_text(
                yaml.safe_dump(_configuration(timing, jobs, alertmanagers), sort_keys=False)
            )
            address = f"127.0.0.1:{free_port()}"
            flags = prometheus.flags(tool("prometheus"), folder / "prometheus.yml", folder / "data", address, timing)
            prometheus_server = server(f"http://{address}", [str(tool("prometheus")), *flags], folder / "log")
            prometheus_server.start()
            running.callback(prometheus_server.end)
            return prometheus_server

        yield start


@pytest.fixture(scope="session")
def engine_jobs() -> Callable[..., list[dict[str, Any]]]:
    """`engine_jobs(engines, "chat", "search")`: a job for each service, with its one engine."""

    def jobs(engines: Engines, *services: str) -> list[dict[str, Any]]:
        place = {"cluster": "default", "namespace": "default", "host": "node-1", "engine": "vllm"}
        return [
            {
                "job_name": service,
                "metrics_path": f"/{service}",
                "static_configs": [{"targets": [engines.address], "labels": place | {"service": service}}],
            }
            for service in services
        ]

    return jobs


def _configuration(timing: Timing, jobs: list[dict[str, Any]], alertmanagers: list[str]) -> dict[str, Any]:
    addresses = [url.removeprefix("http://") for url in alertmanagers]
    return {
        "global": {
            "scrape_interval": duration(timing.scrape_interval),
            "scrape_timeout": duration(timing.scrape_timeout),
            "evaluation_interval": duration(timing.evaluation_interval),
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": addresses}]}]},
        "scrape_configs": jobs,
    }
