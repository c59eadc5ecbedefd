"""Finds and ends exactly the processes of one stack, by the mark in their environment; never by name."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "INFERWATCH_STATE"
"""Environment variable that every process of a stack carries; its value is the state directory."""

_POLL = 0.05


def marked(root: Path) -> list[int]:
    """Process ids of the stack in this state directory, children of its parts included; not this process."""
    entry = os.fsencode(f"{MARK}={root}")
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended, or belongs to someone else
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def end(root: Path, patience: float) -> list[int]:
    """End the stack's processes: TERM, then KILL after `patience` seconds. Returns those that are left."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        send(marked(root), sign)
        if gone(root, patience):
            return []
    return marked(root)


def gone(root: Path, seconds: float) -> bool:
    """Whether no process of the stack is left, waiting at most this long."""
    deadline = time.monotonic() + seconds
    while marked(root):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def send(pids: Iterable[int], sign: signal.Signals) -> None:
    """Signal each process; one that is gone already is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
