"""Replicas in containers come and go without being seen down: the real list of `verify`, a stand-in for Docker."""

import json
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from compose import inside
from compose.containers import ContainersError, ContainerStack
from compose.discovery import Replicas
from compose.verify import Pages

# What `docker compose` is asked for here; `exec` really runs, everything else is kept in a file.
DOCKER = """#!{python}
import json, os, pathlib, subprocess, sys, urllib.request
file = pathlib.Path(os.environ["DOCKER_STATE"])
state = json.loads(file.read_text())
words = sys.argv[2:]
names = ["inferwatch-inference-%d" % number for number in range(1, state["replicas"] + 1)]
if words[0] == "config":
    print(json.dumps({{"services": state["services"]}}))
elif words[0] == "ps":
    for name in names:
        print(json.dumps({{"ID": "id-" + name, "Name": name, "Service": "inference"}}))
    print(json.dumps({{"ID": "id-verify", "Name": "inferwatch-verify-1", "Service": "verify"}}))
elif words[0] == "port":
    print("127.0.0.1:%d" % (8000 + int(words[2]) - 1))
elif words[:3] == ["exec", "-T", "verify"]:
    sys.exit(subprocess.call([sys.executable, *words[4:]]))
elif words[0] == "up":
    with urllib.request.urlopen(state["verify"] + "/targets") as answer:
        state["listed"].append(len(json.load(answer)))
    state["replicas"] = int(words[words.index("--scale") + 1].removeprefix("inference="))
    file.write_text(json.dumps(state))
else:
    sys.exit("unexpected: " + " ".join(words))
"""


class Prometheus(ThreadingHTTPServer):
    """Knows the targets that `verify` lists now, and answers a question for their number."""

    daemon_threads = True

    def __init__(self, replicas: Replicas) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.replicas = replicas


class _Answers(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        self.server.replicas.look(inside.DISCOVERED[0])
        wanted = {int(number) for number in re.findall(r"== (\d+)(?= and|$)", unquote(self.path).replace("+", " "))}
        result = [{}] if wanted == {len(self.server.replicas.targets())} else []
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": {"result": result}}).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Docker:
    """The stand-in's state, as it is now."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def state(self) -> dict:
        return json.loads(self.file.read_text())

    def containers(self, service: str) -> list[str]:
        """As Docker's DNS."""
        running = range(1, self.state["replicas"] + 1)
        return [f"inferwatch-inference-{number}" for number in running] if service == "inference" else []


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    program, state = tmp_path / "docker", tmp_path / "state.json"
    program.write_text(DOCKER.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_STATE", str(state))
    found = Docker(state)
    replicas = Replicas("node-3", found.containers)
    with Pages(("127.0.0.1", 0), replicas) as pages, Prometheus(replicas) as prometheus:
        for server in (pages, prometheus):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(inside, "VERIFY_PORT", pages.server_port)
        services = {
            "inference": {"ports": [{"target": 8000, "published": "8000-8002"}]},
            "prometheus": {"ports": [{"target": 9090, "published": str(prometheus.server_port)}]},
            "verify": {},
        }
        verify = f"http://127.0.0.1:{pages.server_port}"
        state.write_text(json.dumps({"replicas": 1, "listed": [], "services": services, "verify": verify}))
        replicas.look(inside.DISCOVERED[0])
        yield found
        for server in (pages, prometheus):
            server.shutdown()


def test_a_replica_is_listed_once_it_serves_and_no_more_before_it_ends(docker: Docker) -> None:
    stack = ContainerStack()
    stack.scale(3)
    assert stack.replicas() == ("inference-1", "inference-2", "inference-3")
    assert len(httpx.get(f"{docker.state['verify']}/targets", trust_env=False).json()) == 3
    stack.scale(1)
    assert stack.replicas() == ("inference-1",)
    # While Docker started two, and while it ended them, the first alone was listed.
    assert docker.state["listed"] == [1, 1]


def test_a_replica_is_reached_by_its_own_port_and_container(docker: Docker) -> None:
    stack = ContainerStack()
    stack.scale(2)
    assert [stack.url(name) for name in stack.replicas()] == ["http://127.0.0.1:8000", "http://127.0.0.1:8001"]
    assert stack.ids("inference-2") == ["id-inferwatch-inference-2"]
    assert stack.ids("inference") == ["id-inferwatch-inference-1", "id-inferwatch-inference-2"]
    with pytest.raises(KeyError):
        stack.ids("inference-3")


def test_more_replicas_than_published_ports_are_refused_with_what_would_do(docker: Docker) -> None:
    with pytest.raises(ContainersError, match="3 of 4 replicas have a port; set INFERENCE_PORT to a range"):
        ContainerStack().scale(4)
    assert docker.state["listed"] == []
