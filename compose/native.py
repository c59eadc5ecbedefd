"""The native stack: the same parts as in containers, as local processes, for machines without Docker."""

import fcntl
import signal
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import IO

from alerts.timing import Timing
from compose import backup, binaries, parts, ports, processes
from compose.channels import only_inbox
from compose.configuration import configure, list_replicas
from compose.part import ENGINE_PART
from compose.prometheus import DRILL_RULES
from compose.readiness import (
    Status,
    healthy,
    reloaded_at,
    status,
    wait_counted,
    wait_healthy,
    wait_reloaded,
    wait_watched,
)
from compose.settings import Settings
from compose.supervision import Supervision

_UP_SECONDS = 60
_RELOAD_SECONDS = 5
_POLL_SECONDS = 0.1

Say = Callable[[str], None]


class StackError(RuntimeError):
    """The stack cannot be started or stopped; the message says why and what to do."""


class NativeStack:
    """A stack in one state directory; implements `alerts.drills.stack.Stack`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def supervision(self) -> Supervision:
        """The parts. Made when first asked for: `down` must work even where a setting of theirs is wrong."""
        return Supervision(self.settings.state, parts.parts(self.settings))

    @property
    def timing(self) -> Timing:
        """The clock that it was started with."""
        return self.settings.timing

    @property
    def receivers_are_inbox(self) -> bool:
        """Whether the configuration that was rendered last sends nothing to anyone outside."""
        return only_inbox(self.settings)

    def url(self, part: str) -> str:
        """Where the part listens."""
        return self.supervision.parts[part].url

    def kill(self, part: str) -> None:
        """SIGKILL the part and its children."""
        self.supervision.kill(part)

    def stop(self, part: str) -> None:
        """SIGSTOP the part and its children."""
        self.supervision.stop(part)

    def resume(self, part: str) -> None:
        """SIGCONT the part and its children."""
        self.supervision.resume(part)

    def hold(self, part: str) -> None:
        """Keep the part down once it ends."""
        self.supervision.hold(part)

    def release(self, part: str) -> None:
        """Let a held part start again."""
        self.supervision.release(part)

    def replicas(self) -> tuple[str, ...]:
        """Names of the inference services."""
        return (ENGINE_PART, *(part.name for part in parts.replicas(self.settings)))

    def scale(self, replicas: int) -> None:
        """Run so many inference services, on the next free ports; returns when Prometheus sees just those.

        Raises:
            StackError: Another command changes the stack.
            NotReadyError: One does not become healthy, or Prometheus does not see them, within a minute.
        """
        with self._alone():
            self._scale(replicas)

    def add_rules(self, text: str) -> None:
        """Have Prometheus read one more file of rules; the next `up` or `reload` takes it away, too."""
        self._drill_rules.write_text(text)
        self._reread_rules()

    def remove_rules(self) -> None:
        """Take that file away."""
        self._drill_rules.unlink(missing_ok=True)
        self._reread_rules()

    stores = ("prometheus",)
    """The parts whose data a backup keeps."""

    def pack(self, part: str, into: IO[bytes]) -> None:
        """Write the part's data as a tar archive; it is down meanwhile."""
        with self._ended(part), tarfile.open(fileobj=into, mode="w|") as tar:
            tar.add(self.settings.state.data / part, ".")

    def unpack(self, part: str, packed: IO[bytes]) -> None:
        """Put a tar archive in place of the part's data; it is down meanwhile. What fails leaves the data as it was."""
        data = self.settings.state.data / part
        with self._ended(part), tempfile.TemporaryDirectory(dir=data.parent) as scratch:
            new, old = Path(scratch, "new"), Path(scratch, "old")
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                tar.extraction_filter = backup.MEMBER_FILTER
                tar.extractall(new)  # noqa: S202 - filtered
            data.rename(old)
            new.rename(data)

    def status(self) -> list[Status]:
        """Every part with its URL, health and process id."""
        return status(self.supervision)

    def up(self, say: Say) -> None:
        """Start what does not run, and return when everything is healthy, scraped and ruled.

        What this call started is stopped again if it fails or is interrupted; a stack that ran before is left.

        Raises:
            StackError: A port is taken, or another `up` runs.
            NotReadyError: A part does not become healthy.
            ConfigurationError, BinariesMissingError, OSError: As their messages say.
        """
        self.settings.state.create()
        with self._alone():
            binaries.ensure(self.settings.bin_dir, say)
            ran_before = self.supervision.running()
            if ran_before:
                self._scale(1)  # left by a drill that was killed
            else:
                self.settings = replace(self.settings, replicas=())
                self._clear_the_way()
            try:
                self._start(say)
            except BaseException:  # Ctrl-C too: nothing may be left behind
                if not ran_before:
                    self.down()
                raise

    def reload(self) -> frozenset[str]:
        """Render the configuration anew from objectives.yaml and timing.yaml, and let the running parts read it.

        Parts whose configuration is as it was go on undisturbed: Alertmanager regroups its alerts when it reads anew,
        and may send what is muted. Prometheus reads anyway, so that a lost signal is made up for.

        Returns:
            The parts whose configuration differed.

        Raises:
            StackError: The stack does not run, or another command changes it.
            NotReadyError: A part does not take the new configuration within five seconds.
            ConfigurationError, OSError, ValueError: As their messages say; what runs is left as it is.
        """
        if not self.supervision.running():
            raise StackError("the stack does not run; start it with `make up`")
        with self._alone():
            changed = configure(self.settings, tuple(self.supervision.parts.values()))
            deadline = time.monotonic() + _RELOAD_SECONDS
            watched = [
                self.supervision.parts[name] for name in {"prometheus", *changed} & {"prometheus", "alertmanager"}
            ]
            before = {part.name: reloaded_at(part) for part in watched}
            pids = {name: process.pid for name, process in self.supervision.processes().items()}
            self._reread(changed | {"prometheus"}, pids)
            for part in watched:
                wait_reloaded(part, before[part.name], deadline)
        return changed

    def down(self) -> None:
        """Stop every process of the stack; data and logs stay.

        Raises:
            StackError: A process would not end, not even when killed.
        """
        left = Supervision(self.settings.state, ()).end()
        self.settings.state.forget()
        if left:
            raise StackError(f"these processes would not end: {', '.join(map(str, left))}")

    def _clear_the_way(self) -> None:
        processes.end(self.settings.state.root, patience=5)  # left over from a supervisord that was killed
        if taken := ports.taken(self.settings.ports):
            raise StackError("\n".join(taken))

    def _start(self, say: Say) -> None:
        deadline = time.monotonic() + _UP_SECONDS
        # The binaries may be new, and what a part is started with depends on their version.
        stack = parts.parts(self.settings)
        self.supervision = Supervision(self.settings.state, stack)
        changed = configure(self.settings, stack)
        self.settings.remember()
        pids = {name: process.pid for name, process in self.supervision.processes().items()}
        self.supervision.start()
        self._reread(changed, pids)
        wait_healthy(self.supervision, deadline, say)
        say("waiting until Prometheus has scraped every target")
        scraped = frozenset(part.name for part in stack if part.scraped)
        wait_watched(self.supervision.parts["prometheus"], scraped, deadline)

    def _scale(self, replicas: int) -> None:
        deadline = time.monotonic() + _UP_SECONDS
        supervision, before = self.supervision, self.settings.replicas
        kept = before[: replicas - 1]
        new = ports.next_free(self.settings.ports[ENGINE_PART], replicas - 1 - len(kept))
        self.settings = replace(self.settings, replicas=kept + new)
        self.settings.remember()
        try:
            if kept != before:  # forgotten first: whoever is taken away on purpose is not down
                list_replicas(self.settings)
                wait_counted(self.url("prometheus"), replicas, deadline)
        finally:
            supervision.change(parts.parts(self.settings))
        if new:
            wait_healthy(supervision, deadline, lambda line: None)
            list_replicas(self.settings)
            wait_counted(self.url("prometheus"), replicas, deadline)

    @property
    def _drill_rules(self) -> Path:
        return self.settings.state.config / "rules" / DRILL_RULES

    def _reread_rules(self) -> None:
        pid = self.supervision.processes()["prometheus"].pid
        processes.send([] if pid is None else [pid], signal.SIGHUP)

    def _reread(self, changed: frozenset[str], before: dict[str, int | None]) -> None:
        """Let parts that went on running read what changed."""
        for name, process in self.supervision.processes().items():
            if name in changed and process.pid is not None and process.pid == before[name]:
                processes.send([process.pid], signal.SIGHUP)

    @contextmanager
    def _ended(self, part: str) -> Iterator[None]:
        """Let the part end in its own time, and start again afterwards; returns when it is healthy."""
        deadline = time.monotonic() + _UP_SECONDS
        self.hold(part)
        try:
            self.supervision.terminate(part)
            while self.supervision.processes()[part].pid is not None:
                if time.monotonic() > deadline:
                    raise StackError(f"{part} does not end")
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            self.release(part)
        while not healthy(self.supervision.parts[part]):
            if time.monotonic() > deadline:
                raise StackError(f"{part} does not become healthy again; see {self.supervision.log(part)}")
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse two `up` of one state directory at a time."""
        with (self.settings.state.root / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    "another `inferwatch up` or `reload` of this checkout is running; wait for it"
                ) from None
            yield
