"""deadman.yaml alone, as on another machine: it pages by its own Slack webhook, and says when the heartbeat is back."""

import ipaddress
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from compose.containers import FOLDER, docker

pytestmark = pytest.mark.timeout(300, func_only=True)  # without its image, see test_containers.py

TIMEOUT = 3
"""Seconds without a heartbeat until it pages."""
BEAT = {"alerts": [{"status": "firing", "labels": {"alertname": "Watchdog"}}]}


class Slack(ThreadingHTTPServer):
    """Keeps the titles of what it is sent; where containers reach this machine."""

    def __init__(self) -> None:
        # An engine that was never restarted names no gateway; it is the subnet's first address.
        subnet = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}").strip()
        gateway = str(ipaddress.ip_network(subnet)[1])
        super().__init__((gateway, 0), _Handler)
        self.url = f"http://{gateway}:{self.server_port}/"
        self.titles: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        (attachment,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["attachments"]
        self.server.titles.append(attachment["title"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int], slack: Slack
) -> Iterator[str]:
    """Its URL. The secret can be read by its group alone, as secrets/README.md asks."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o750)
    (secrets / "deadman_slack_url").write_text(slack.url)
    (secrets / "deadman_slack_url").chmod(0o640)
    volume = {"type": "bind", "source": str(secrets), "target": "/run/secrets", "read_only": True}
    override = tmp_path / "secrets.json"
    override.write_text(json.dumps({"services": {"deadman": {"volumes": [volume]}}}))
    port = free_port()
    monkeypatch.setenv("SECRETS_GID", str(os.getgid()))
    monkeypatch.setenv("DEADMAN_PORT", str(port))
    monkeypatch.setenv("DEADMAN_TIMEOUT", str(TIMEOUT))
    monkeypatch.delenv("COMPOSE_ENV_FILES", raising=False)
    project = ("compose", "--project-name", f"inferwatch-test-deadman-{os.getpid()}")
    files = ("--file", str(FOLDER / "deadman.yaml"), "--file", str(override))
    try:
        docker(*project, *files, "up", "--detach", "--build", "--wait", "--wait-timeout", "120")
        yield f"http://127.0.0.1:{port}"
    except BaseException:
        print(docker(*project, *files, "logs"))
        raise
    finally:
        docker(*project, *files, "down", "--volumes", "--rmi", "local", "--timeout", "5")


def test_it_pages_once_when_the_heartbeat_stops_and_once_when_it_is_back(switch: str, slack: Slack) -> None:
    def heard(count: int) -> list[str]:
        give_up = time.monotonic() + 60
        while len(slack.titles) < count and time.monotonic() < give_up:
            time.sleep(0.1)
        return slack.titles

    def beat(times: int) -> None:
        for _ in range(times):
            assert httpx.post(f"{switch}/heartbeat", json=BEAT).status_code == 200
            time.sleep(TIMEOUT / 6)

    # While it waited to be healthy, it may have paged for the heartbeat that never came.
    beat(1)
    time.sleep(2 * TIMEOUT / 3)
    before = len(slack.titles)
    assert [title.split("  ")[0] for title in heard(before + 1)[before:]] == ["PAGE"]
    beat(12)
    told = heard(before + 2)[before:]
    assert [title.split()[0] for title in told] == ["PAGE", "RESOLVED"], slack.titles
