"""Starting a child, and ending one that may not want to end. Knows nothing of what it says."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Protocol

from exporters.gpu.isolation.progress import Progress

LOG = logging.getLogger(__name__)

Role = Literal["read", "watch"]
Serve = Callable[[Connection], None]
"""Answers a child that looks at the simulated machine."""

_ENDS_WITHIN_SECONDS = 1.0


class Process(Protocol):
    """What is needed of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Exit status; None while it runs."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, once it has ended. Raises subprocess.TimeoutExpired."""


class Child:
    """A running child and the two ways to hear of it.

    Attributes:
        connection: What it says.
        progress: Where it is, also while it says nothing.
    """

    def __init__(self, process: Process, connection: Connection, progress: Progress) -> None:
        self.connection = connection
        self.progress = progress
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still exists."""
        return self._process.poll() is None

    def runs(self) -> bool:
        """Whether it wants the processor: it is then slow, which is not the same as stuck."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] == "R"

    def exit_status(self) -> int | None:
        """As of `subprocess.Popen`: negative for a signal, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_ENDS_WITHIN_SECONDS)
        return None

    def kill(self) -> None:
        """Kill it, for a thread that waits for it to notice; that one calls `end`."""
        self._process.kill()

    def end(self) -> bool:
        """Kill it and let go of what it held; False where the kernel cannot kill it, as inside some driver calls."""
        self.kill()
        self.connection.close()
        self.progress.close()
        return self.exit_status() is not None


def start(role: Role, serve: Serve | None, call_seconds: float = 0.0, extras: Sequence[str] = ()) -> Child:
    """Start a child.

    Args:
        role: What it does.
        serve: Answers its questions about the simulated machine; None where GPUs are real.
        call_seconds: How long each call of the simulated driver takes.
        extras: Optional subjects to read.

    Raises:
        OSError: The system has no room for another process.
    """
    ours, theirs = Pipe()
    machine = None if serve is None else Pipe()
    memory = Progress.create()
    inherited = [theirs.fileno(), memory] + ([] if machine is None else [machine[1].fileno()])
    numbers = [theirs.fileno(), memory, -1 if machine is None else machine[1].fileno(), os.getpid()]
    command = [sys.executable, "-m", "exporters.gpu.isolation.child", role, *map(str, numbers)]
    command += [str(call_seconds), ",".join(extras)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=inherited)
        progress = Progress(memory)
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(memory)
        if machine is not None:
            machine[1].close()
    if serve is not None and machine is not None:
        serve(machine[0])
    LOG.debug("child %d started to %s", process.pid, role)
    return Child(process, ours, progress)
