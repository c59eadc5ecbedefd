"""One native stack on free ports at a clock of the tests, brought up and down by the command itself."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from compose import ports
from compose.native import NativeStack
from compose.settings import from_environment
from tests.pace import clock

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """A running stack: as a drill sees it, and as a shell would."""

    native: NativeStack
    environment: Mapping[str, str]

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "compose.cli", *arguments],
            env={**os.environ, **self.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def query(self, expr: str) -> list[dict[str, object]]:
        """Result of an instant query."""
        answer = httpx.get(f"{self.native.url('prometheus')}/api/v1/query", params={"query": expr})
        answer.raise_for_status()
        return answer.json()["data"]["result"]

    def stream(self, prompt: str, max_tokens: int = 8) -> str:
        """Text of one streamed completion; fails on anything but a whole stream."""
        url = self.native.url("inference")
        model = httpx.get(f"{url}/v1/models").raise_for_status().json()["data"][0]["id"]
        body = {"model": model, "prompt": prompt, "max_tokens": max_tokens, "stream": True}
        text, ended = "", False
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=30) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    ended = True
                elif line.startswith("data: "):
                    text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
        assert ended, "the stream broke off"
        return text

    def messages(self) -> list[dict[str, object]]:
        return httpx.get(f"{self.native.url('inbox')}/api/messages").raise_for_status().json()


@pytest.fixture(scope="session")
def running(tmp_path_factory, free_port) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("stack")
    names = sorted({port.variable for port in ports.PORTS})
    environment = {
        **{name: str(free_port()) for name in names},
        "INFERWATCH_STATE_DIR": str(state),
        "INFERWATCH_CLOCK": clock(),
    }
    stack = Running(NativeStack(from_environment({**os.environ, **environment})), environment)
    up = stack.command("up")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        settle(stack)
        yield stack
    finally:
        down = stack.command("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert processes_of(state) == []


def settle(stack: Running) -> None:
    """Wait for the end of what the start itself broke: on these clocks, a model loads longer than a `for`."""
    give_up = time.monotonic() + 120
    while stack.query('ALERTS{severity=~"page|ticket", alertstate="firing"}') and time.monotonic() < give_up:
        time.sleep(0.5)
    time.sleep(2 * stack.native.timing.group_interval)


def processes_of(state: Path) -> list[str]:
    """Command lines of every process that the stack in a state directory has started."""
    mark = f"INFERWATCH_STATE={state}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended, or is not ours
    return found
