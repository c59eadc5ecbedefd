"""Keeps the parts running, through supervisord: restarts, rotated logs, and one socket to ask it by.

Knows nothing of what the parts are. Each starts through a small script that waits while a hold file exists, so a
killed part can be kept down; the program then takes the script's place and keeps its process id.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from compose import processes
from compose.part import Part
from compose.state import State

_STOP_SECONDS = 10
_START_SECONDS = 10
_LOG_BYTES = "5MB"
_LOG_BACKUPS = 2
_ALWAYS = 1_000_000_000
"""Start attempts before supervisord gives a part up: never, as `restart: unless-stopped`. It waits one second longer
after each failed attempt."""


@dataclass(frozen=True, slots=True)
class Process:
    """What the supervisor knows of a part."""

    pid: int | None
    """Of the part's program; None while it is down or held."""
    state: str
    """supervisord's word: RUNNING, STARTING, BACKOFF, ..."""
    started: int = 0
    """When it was last started, in seconds since the epoch; 0 where never."""


class Supervision:
    """The parts of one state directory under one supervisord."""

    def __init__(self, state: State, parts: tuple[Part, ...]) -> None:
        self.state = state
        self.parts = {part.name: part for part in parts}

    def running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._ask("getState")["statename"] == "RUNNING")
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self) -> None:
        """Start every part that does not run, let held and frozen ones go on; returns before they are healthy.

        A part whose command or environment changed since the start is started anew.

        Raises:
            RuntimeError: supervisord does not start; the message holds its own words.
        """
        changed = self._write()
        if changed and self.running():
            self.end()
        for name in self.parts:
            self.release(name)
        if self.running():
            processes.send(processes.marked(self.state.root), signal.SIGCONT)
            self._ask("startAllProcesses", False)
            return
        processes.end(self.state.root, _STOP_SECONDS)  # left over from a supervisord that was killed
        self._launch()

    def change(self, parts: tuple[Part, ...]) -> None:
        """Have these parts from now on: what is new is started, what is left out is ended, the others go on."""
        before, self.parts = self.parts, {part.name: part for part in parts}
        for part in parts:
            if part.name not in before:
                self.release(part.name)
                self._script_file(part.name).write_text(self._script(part))
        self._conf.write_text(self._configuration())
        ((added, _, removed),) = self._ask("reloadConfig")
        for name in removed:
            self._ask("stopProcessGroup", name)
            self._ask("removeProcessGroup", name)
        for name in added:
            self._ask("addProcessGroup", name)

    def end(self) -> list[int]:
        """Stop every part and supervisord, also when supervisord was killed before.

        Returns:
            The ids of processes that would not end.
        """
        root = self.state.root
        # A frozen process takes no TERM before it is woken.
        processes.send(processes.marked(root), signal.SIGCONT)
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            # All at once: shutdown alone waits for one part after the other.
            self._ask("stopAllProcesses", False)
            self._ask("shutdown")
            processes.gone(root, _STOP_SECONDS + 2)
        left = processes.end(root, _STOP_SECONDS / 2)
        self.state.socket.unlink(missing_ok=True)
        return left

    def processes(self) -> dict[str, Process]:
        """What runs, by part; a part that supervisord does not know is down."""
        down = Process(None, "STOPPED")
        try:
            known = self._ask("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error):
            return dict.fromkeys(self.parts, down)
        found = {
            info["name"]: Process(self._program(info["name"], info["pid"]), info["statename"], info["start"])
            for info in known
        }
        return {name: found.get(name, down) for name in self.parts}

    def kill(self, part: str) -> None:
        """SIGKILL the part and its children, as the end of a container would."""
        self._signal(part, signal.SIGKILL)

    def terminate(self, part: str) -> None:
        """SIGTERM the part and its children; started again unless held."""
        self._signal(part, signal.SIGTERM)

    def stop(self, part: str) -> None:
        """SIGSTOP the part and its children."""
        self._signal(part, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        """SIGCONT the part and its children."""
        self._signal(part, signal.SIGCONT)

    def hold(self, part: str) -> None:
        """Keep the part down once it ends."""
        self._hold_file(part).touch()

    def release(self, part: str) -> None:
        """Let a held part start."""
        self._hold_file(part).unlink(missing_ok=True)

    def log(self, part: str) -> Path:
        """The file with the part's output."""
        return self.state.log / f"{self.parts[part].name}.log"

    def _signal(self, part: str, sign: signal.Signals) -> None:
        pid = self.processes()[part].pid
        if pid is None:
            raise ProcessLookupError(f"{part} does not run")
        # supervisord makes each part the leader of its own group.
        os.killpg(pid, sign)

    def _hold_file(self, part: str) -> Path:
        return self.state.hold / self.parts[part].name

    def _program(self, name: str, pid: int) -> int | None:
        """The pid, unless the part's script still waits there for its release."""
        if not pid or name not in self.parts:
            return None
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return None if os.fsencode(self._script_file(name)) in words else pid

    def _script_file(self, name: str) -> Path:
        return self.state.config / "start" / f"{name}.sh"

    def _ask(self, method: str, *arguments: bool | str) -> Any:  # noqa: ANN401 - whatever the method returns
        transport = SupervisorTransport(None, None, f"unix://{self.state.socket}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _write(self) -> bool:
        """Write supervisord's configuration and the start scripts; returns whether they changed."""
        files = {self._conf: self._configuration()}
        files |= {self._script_file(part.name): self._script(part) for part in self.parts.values()}
        self._script_file("").parent.mkdir(exist_ok=True, mode=0o700)
        changed = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        for path in changed:
            path.write_text(files[path])
        return bool(changed)

    def _launch(self) -> None:
        self.state.socket.unlink(missing_ok=True)
        ran = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(self._conf)],
            env={
                **os.environ,
                **_without_proxy(),
                processes.MARK: str(self.state.root),
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self.running():
            if ran.returncode or time.monotonic() > deadline:
                raise RuntimeError(f"supervisord does not start: {(ran.stderr or ran.stdout).strip() or self._conf}")
            time.sleep(0.05)

    @property
    def _conf(self) -> Path:
        return self.state.config / "supervisord.conf"

    def _script(self, part: Part) -> str:
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in part.environment.items())
        return (
            f"while [ -e {shlex.quote(str(self._hold_file(part.name)))} ]; do sleep 0.2; done\n"
            f"{exports}exec {shlex.join(part.command)}\n"
        )

    def _configuration(self) -> str:
        state = self.state
        # Named even for root, where supervisord otherwise warns at every start.
        user = f"user={os.getuid()}\n" if os.getuid() == 0 else ""
        head = (
            f"[unix_http_server]\nfile={_escaped(state.socket)}\nchmod=0600\n\n"
            f"[supervisord]\nlogfile={_escaped(state.log / 'supervisord.log')}\nlogfile_maxbytes={_LOG_BYTES}\n"
            f"logfile_backups={_LOG_BACKUPS}\npidfile={_escaped(state.root / 'supervisord.pid')}\n"
            f"childlogdir={_escaped(state.log)}\n{user}\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )
        return head + "".join(
            self._program_section(place, part) for place, part in enumerate(self.parts.values(), start=1)
        )

    def _program_section(self, place: int, part: Part) -> str:
        """One part; in order, so that what is watched is started before what watches it."""
        return (
            f"\n[program:{part.name}]\ncommand=/bin/sh {_escaped(shlex.quote(str(self._script_file(part.name))))}\n"
            f"priority={place}\nautorestart=true\nstartsecs=1\nstartretries={_ALWAYS}\n"
            f"stopwaitsecs={_STOP_SECONDS}\nstopasgroup=true\nkillasgroup=true\n"
            # Escaped twice: supervisord expands this value twice.
            f"stdout_logfile={_escaped(_escaped(self.log(part.name)))}\nstdout_logfile_maxbytes={_LOG_BYTES}\n"
            f"stdout_logfile_backups={_LOG_BACKUPS}\nredirect_stderr=true\n"
        )


def _escaped(value: object) -> str:
    """For supervisord's configuration, which expands percent signs."""
    return str(value).replace("%", "%%")


def _without_proxy() -> dict[str, str]:
    """Parts talk to each other on loopback, also where the world is reached through a proxy."""
    return {
        name: ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost"))) for name in ("no_proxy", "NO_PROXY")
    }
