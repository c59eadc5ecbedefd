"""Checks what the native stack needs on this machine; changes nothing."""

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from compose import binaries, ports, processes
from compose.settings import Settings
from compose.supervision import Supervision

_OLDEST_PYTHON = (3, 11)
_SPACE_BYTES = 3_000_000_000
"""Prometheus keeps up to 2 GB; the rest is for logs, binaries and the model."""
_MODULES = ("torch", "fastapi", "supervisor", "aiosmtpd", "pynvml")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: str
    ok: bool
    found: str
    remedy: str
    """What to do where it is not ok."""


def examine(settings: Settings) -> list[Check]:
    """Every check, in the order in which a person would mend them."""
    general = [_python(), _modules(), _state(settings), _space(settings)]
    return [*general, *_tools(settings), _leftovers(settings), _ports(settings)]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= _OLDEST_PYTHON, found, "install Python 3.11 or newer, with venv")


def _modules() -> Check:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    found = f"missing {', '.join(missing)}" if missing else f"installed in {sys.prefix}"
    return Check("packages", not missing, found, "run `make up`, which installs them into .venv")


def _existing(settings: Settings) -> Path:
    """The state directory, or where it would be made."""
    root = settings.state.root
    return next(path for path in (root, *root.parents) if path.exists())


def _state(settings: Settings) -> Check:
    root, existing = settings.state.root, _existing(settings)
    ok = os.access(existing, os.W_OK)
    found = f"{root} is {'' if ok else 'not '}writable"
    return Check("state directory", ok, found, f"make {existing} writable, or set INFERWATCH_STATE_DIR")


def _space(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings)).free
    remedy = f"free {_SPACE_BYTES / 1e9:.0f} GB there, or set INFERWATCH_STATE_DIR to another disk"
    return Check("disk", free >= _SPACE_BYTES, f"{free / 1e9:.1f} GB free for {settings.state.root}", remedy)


def _tools(settings: Settings) -> list[Check]:
    remedy = f"run `{sys.executable} -m compose.binaries`, or set INFERWATCH_BIN to where it is"
    lacking = binaries.missing(settings.bin_dir)
    return [
        Check(tool.name, tool not in lacking, _tool(settings, tool), f"{remedy} (at least {_dotted(tool.minimum)})")
        for tool in binaries.TOOLS
    ]


def _tool(settings: Settings, tool: binaries.Tool) -> str:
    program = settings.bin_dir / tool.name
    found = binaries.version(program)
    return f"{_dotted(found)} at {program}" if found else f"not at {program}"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _leftovers(settings: Settings) -> Check:
    """Processes of this stack that nobody supervises."""
    pids = [] if _supervised(settings) else processes.marked(settings.state.root)
    found = f"left over: {', '.join(map(str, pids))}" if pids else "none left over"
    return Check("processes", not pids, found, "run `inferwatch down`, which ends exactly these")


def _ports(settings: Settings) -> Check:
    if _supervised(settings) or processes.marked(settings.state.root):
        return Check("ports", True, "in use by this stack", "")
    taken = ports.taken(settings.ports)
    return Check("ports", not taken, "; ".join(taken) or "all free", "stop what holds them, or set the variables named")


def _supervised(settings: Settings) -> bool:
    return Supervision(settings.state, ()).running()
