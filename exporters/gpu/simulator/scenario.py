"""Faults on a timetable: a file of requests to the control API, each at its time after the start.

[
    {"at_seconds": 10, "path": "/simulator/gpus/0", "body": {"state": "lost"}},
    {"at_seconds": 60, "path": "/simulator/gpus/0", "body": {"state": null}}
]
"""

import json
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from exporters.gpu.simulator import control
from exporters.gpu.simulator.machine import SimulatedMachine

LOG = logging.getLogger(__name__)

_FIELDS = {"at_seconds", "path", "body"}


class ScenarioError(Exception):
    """The file cannot be played; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change."""

    at_seconds: float
    """After the start."""
    path: str
    body: bytes
    """As the control API takes it in a PATCH."""


def read(file: Path, machine: SimulatedMachine) -> tuple[Step, ...]:
    """The steps of a file, by time, each of them one that the control API would take.

    Raises:
        ScenarioError: The file cannot be read, or a step is wrong.
    """
    try:
        found = json.loads(file.read_text())
    except OSError as error:
        raise ScenarioError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ScenarioError(f"{file} is not JSON: {error}") from error
    if not isinstance(found, list):
        raise ScenarioError(f"{file} is not a list of steps")
    steps = (_step(f"{file}, step {number}", one, machine) for number, one in enumerate(found, 1))
    return tuple(sorted(steps, key=lambda step: step.at_seconds))


def _step(where: str, found: object, machine: SimulatedMachine) -> Step:
    if not isinstance(found, dict) or set(found) != _FIELDS:
        raise ScenarioError(f"{where}: is not an object of at_seconds, path and body")
    at, path, body = found["at_seconds"], found["path"], json.dumps(found["body"]).encode()
    if not isinstance(at, int | float) or isinstance(at, bool) or not 0 <= at < float("inf"):
        raise ScenarioError(f"{where}: at_seconds is not a number from 0")
    refused = control.refusal(machine, str(path), body)
    if refused is not None:
        raise ScenarioError(f"{where}: {refused}")
    return Step(float(at), str(path), body)


class Player:
    """A thread that makes each change at its time, and ends with the last.

    Args:
        machine: What is changed.
        steps: By time.
    """

    def __init__(self, machine: SimulatedMachine, steps: tuple[Step, ...]) -> None:
        self._machine = machine
        self._steps = steps
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scenario", daemon=True)

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self) -> None:
        """Change no more."""
        self._stopped.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        started = time.monotonic()
        for step in self._steps:
            if self._stopped.wait(max(0.0, started + step.at_seconds - time.monotonic())):
                return
            control.answer(self._machine, "PATCH", step.path, step.body)
            LOG.info("scenario, %g s: %s %s", step.at_seconds, step.path, step.body.decode())
        LOG.info("the scenario is over")
