"""Small real programs under a real supervisord."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from compose.part import Part
from compose.processes import MARK
from compose.state import State
from compose.supervision import Supervision


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _pids_of(state: State) -> list[int]:
    """Found independently of the code under test: whatever carries the mark."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if f"{MARK}={state.root}".encode() in _environment(pid)]


@pytest.fixture
def pids_of():
    return _pids_of


@pytest.fixture
def eventually():
    """Wait until a check holds; fails after some seconds with what it last said."""

    def wait(check, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not (answer := check()):
            assert time.monotonic() < deadline, f"never held: {answer!r}"
            time.sleep(0.05)
        return answer

    return wait


@pytest.fixture
def web(free_port):
    """A part that serves HTTP."""

    def part(name: str) -> Part:
        port = free_port()
        program = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
        return Part(name, program, f"http://127.0.0.1:{port}", health="/")

    return part


@pytest.fixture
def state(tmp_path):
    state = State((tmp_path / "state").resolve())
    state.create()
    yield state
    for pid in _pids_of(state):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervised(state):
    """Start parts, and end them after the test."""
    started: list[Supervision] = []

    def start(*parts: Part, where: State = state) -> Supervision:
        supervision = Supervision(where, parts)
        started.append(supervision)
        supervision.start()
        return supervision

    yield start
    for supervision in started:
        supervision.end()
