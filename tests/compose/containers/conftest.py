"""A stack in real containers; only where prepare.py has seen to an engine and its images."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from alerts.drills.inbox import Message, messages
from alerts.drills.judge import about_the_host
from alerts.rules import catalogue
from alerts.timing import load
from compose import inside, ports
from compose.containers import ContainerStack, docker

PREPARED = "INFERWATCH_CONTAINERS"
"""Set by prepare.py: `images`, or `stand-ins` where none can be pulled."""
collect_ignore_glob = [] if PREPARED in os.environ else ["test_*.py"]

ROOT = Path(__file__).parents[3]
LEFT_OUT = "grafana,tempo,loki,otel-collector" if os.environ.get(PREPARED) == "stand-ins" else ""


@dataclass(frozen=True)
class Running:
    """The running stack, and how its own network and a shell see it."""

    stack: ContainerStack
    project: str
    left_out: frozenset[str] = frozenset(filter(None, LEFT_OUT.split(",")))

    def query(self, expr: str) -> list[dict]:
        """Result of an instant query."""
        answer = httpx.get(f"{self.stack.url('prometheus')}/api/v1/query", params={"query": expr}, timeout=10)
        return answer.raise_for_status().json()["data"]["result"]

    def messages(self) -> list[Message]:
        """What the inbox holds, but for what is true of the machine that the tests run on."""
        known = catalogue(load())
        return [one for one in messages(self.stack.url("inbox")) if not about_the_host(one, known)]

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """`inferwatch`, about containers."""
        command = [sys.executable, "-m", "compose.cli", *arguments, "--containers"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)

    def load(self, seconds: float) -> subprocess.Popen[str]:
        """Requests from outside, five a second; its report is JSON."""
        command = [sys.executable, "-m", "inference.load", "--url", self.stack.url("inference"), "--json"]
        command += ["--rate", "5", "--duration", str(seconds), "--max-tokens", "32"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def inspect(self, *names: str) -> list[dict]:
        """What Docker knows of the containers of some services; of every service where none is named."""
        ids = [container for name in names for container in self.stack.ids(name)]
        return json.loads(docker("inspect", *(ids or self.stack.compose("ps", "--all", "--quiet").split())))

    def left(self) -> dict[str, list[str]]:
        """Whatever the engine still has of the project."""
        mine = ("--filter", f"label=com.docker.compose.project={self.project}", "--quiet")
        kinds = {"container": ("ps", "--all"), "volume": ("volume", "ls"), "network": ("network", "ls")}
        return {kind: docker(*words, *mine).split() for kind, words in kinds.items()}


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, free_port) -> Iterator[Running]:
    """A stack of each file's own, at the clock that its CLOCK names."""
    timing = load().at(request.module.CLOCK)
    variables = {
        **{port.variable: str(free_port()) for port in (*ports.PORTS, *ports.CONTAINER_PORTS)},
        **inside.clock_variables(timing),
        "INFERWATCH_CLOCK": request.module.CLOCK,
        "INFERENCE_FAULTS": "1",
        "INFERWATCH_WITHOUT": LEFT_OUT,
    }
    files = [ROOT / "compose" / "compose.yaml"]
    if LEFT_OUT:
        files.append(Path(__file__).with_name("stand-ins.yaml"))
        variables |= {"GRAFANA_URL": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_LOGS_EXPORTER": "none"}
    env_file = tmp_path_factory.mktemp("compose") / "test.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    project = f"inferwatch-test-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_FILE", os.pathsep.join(map(str, files)))
        patch.setenv("COMPOSE_ENV_FILES", str(env_file))
        patch.setenv("COMPOSE_PROJECT_NAME", project)
        stack = ContainerStack()
        here = Running(stack, project)
        try:
            stack.compose("build", "--quiet")
            stack.compose("up", "--wait", "--wait-timeout", "240", "--quiet-pull")
            yield here
        except BaseException:
            print(stack.compose("ps", "--all"), stack.compose("logs", "--tail", "15"), sep="\n")
            raise
        finally:
            stack.compose("down", "--volumes", "--timeout", "5")
    assert here.left() == {"container": [], "volume": [], "network": []}
