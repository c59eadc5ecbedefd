"""The stack in containers, as drills and commands reach it: through `docker compose`, with the user's own .env.

What COMPOSE_FILE, COMPOSE_PROJECT_NAME and COMPOSE_ENV_FILES say holds here too: Compose itself is asked.
"""

import io
import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import yaml

from alertmanager.generate import CONFIGURATION
from alerts.timing import Clock, Timing, load
from compose import inside, ports
from compose.channels import all_end_in
from compose.part import ENGINE_PART
from compose.prometheus import DRILL_RULES
from compose.readiness import Status, wait_counted

FOLDER = Path(__file__).parent
_RESTART = "unless-stopped"
_DATA = {"prometheus": "/prometheus", "grafana": "/var/lib/grafana"}
"""Parts whose data a backup keeps, and where it lies in their containers."""
_UNPACK = """
import pathlib, shutil, sys, tarfile
data = pathlib.Path(sys.argv[1])
for path in data.iterdir():
    shutil.rmtree(path) if path.is_dir() else path.unlink()
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
    tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
    tar.extractall(data)
"""
_CALL = "import sys, urllib.request as to; to.urlopen(to.Request(sys.argv[2], method=sys.argv[1]), timeout=5)"
_SCALE_SECONDS = 180
"""Importing torch several times at once takes its time."""


class ContainersError(RuntimeError):
    """Docker or Compose refuses; the message holds its words."""


class ContainerStack:
    """One Compose project; implements `alerts.drills.stack.Stack`."""

    @cached_property
    def services(self) -> Mapping[str, Mapping[str, Any]]:
        """Every service of the project as Compose reads it, variables filled in."""
        services: dict[str, dict[str, Any]] = json.loads(self.compose("config", "--format", "json"))["services"]
        return services

    @property
    def clock(self) -> Clock:
        """The clock that it was started with, by name."""
        clock: Clock = self.services["setup"]["environment"]["INFERWATCH_CLOCK"]
        return clock

    @property
    def timing(self) -> Timing:
        """The clock that it was started with."""
        return load().at(self.clock)

    @property
    def receivers_are_inbox(self) -> bool:
        """Whether Alertmanager's configuration, as it lies in its container, sends nothing to anyone outside."""
        inbox = next(port.default for port in ports.PORTS if port.part == "inbox-smtp")
        hook, heartbeat = f"{_inside_url('inbox')}/slack", f"{_inside_url('deadman')}/heartbeat"

        def read(secret: Path) -> str:
            if secret.parent != inside.ALERTMANAGER:
                raise ValueError("a secret of the user's")
            return hook

        document = yaml.safe_load(self.file("alertmanager", inside.ALERTMANAGER / CONFIGURATION))
        return all_end_in(document, f"inbox:{inbox}", {hook, heartbeat}, read)

    def url(self, part: str) -> str:
        """Where the part is published on this machine."""
        service, _, number = part.rpartition("-")
        if service == ENGINE_PART:
            return f"http://{self.compose('port', '--index', number, service, _inside_port(service)).strip()}"
        inner = int(_inside_port(part))
        published = {port["target"]: port["published"] for port in self.services[part].get("ports", ())}
        # Of a range, the first.
        return f"http://{ports.LOOPBACK}:{published[inner].partition('-')[0]}"

    def replicas(self) -> tuple[str, ...]:
        """Names of the inference services, `inference-1` and so on."""
        return tuple(sorted(_replica(one) for one in self._listed() if one["Service"] == ENGINE_PART))

    def scale(self, replicas: int) -> None:
        """Run so many inference services; returns when Prometheus sees just those.

        Raises:
            ContainersError: INFERENCE_PORT has no port for each, or Docker refuses.
            NotReadyError: Prometheus does not see them within three minutes.
        """
        if replicas == (had := len(self.replicas())):
            return
        first, _, last = str(self.services[ENGINE_PART]["ports"][0]["published"]).partition("-")
        if replicas > (room := int(last or first) - int(first) + 1):
            raise ContainersError(
                f"{room} of {replicas} replicas have a port; set INFERENCE_PORT to a range, as in 8000-8002, and "
                "`docker compose up --wait` again"
            )
        deadline = time.monotonic() + _SCALE_SECONDS
        # Listed once they serve, and no more before they end: neither is an engine that is down.
        self._list("PUT", f"/{min(had, replicas)}")
        try:
            if replicas < had:
                wait_counted(self.url("prometheus"), replicas, deadline)
            wanted = f"{ENGINE_PART}={replicas}"
            self.compose("up", "--wait", "--no-deps", "--no-recreate", "--scale", wanted, ENGINE_PART)
        finally:
            self._list("DELETE", "")
        wait_counted(self.url("prometheus"), replicas, deadline)

    def add_rules(self, text: str) -> None:
        """Have Prometheus read one more file of rules; the next `up` takes it away, too."""
        self._change_rules("path.write_text(sys.argv[2])", text)

    def remove_rules(self) -> None:
        """Take that file away."""
        self._change_rules("path.unlink(missing_ok=True)")

    def kill(self, part: str) -> None:
        """SIGKILL every container of the part; start it again unless held, since Docker leaves a killed one down."""
        ids = self.ids(part)
        docker("kill", *ids)
        if docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", *ids).split() != ["no"] * len(ids):
            docker("start", *ids)

    def stop(self, part: str) -> None:
        """Freeze every process of the part's containers."""
        docker("pause", *self.ids(part))

    def resume(self, part: str) -> None:
        """Let them go on."""
        docker("unpause", *self.ids(part))

    def hold(self, part: str) -> None:
        """Keep the part down once it ends."""
        docker("update", "--restart", "no", *self.ids(part))

    def release(self, part: str) -> None:
        """Let a held part start again."""
        docker("update", "--restart", _RESTART, *self.ids(part))
        docker("start", *self.ids(part))

    def running(self) -> bool:
        """Whether any container of the project runs."""
        return bool(self.compose("ps", "--quiet").split())

    def ids(self, part: str) -> list[str]:
        """Containers of a part or of one replica, running or not.

        Raises:
            KeyError: There is no such part, or it has no container.
        """
        found = [str(one["ID"]) for one in self._listed() if part in (one["Service"], _replica(one))]
        if not found:
            raise KeyError(part)
        return found

    @property
    def stores(self) -> tuple[str, ...]:
        """The parts whose data a backup keeps."""
        there = set(self.compose("ps", "--all", "--services").split())
        return tuple(part for part in _DATA if part in there)

    def pack(self, part: str, into: IO[bytes]) -> None:
        """Write the part's data as a tar archive; it is down meanwhile."""
        with self._ended(part) as container:
            _run(["docker", "cp", f"{container}:{_DATA[part]}/.", "-"], stdout=into)

    def unpack(self, part: str, packed: IO[bytes]) -> None:
        """Put a tar archive in place of the part's data; it is down meanwhile."""
        image, user = (self.services[name][key] for name, key in (("setup", "image"), (part, "user")))
        with self._ended(part) as container:
            # Its image may hold no program that could do it.
            options = ["--volumes-from", container, "--network", "none", "--user", user, "--entrypoint", "python"]
            _run(["docker", "run", "--rm", "-i", *options, image, "-c", _UNPACK, _DATA[part]], stdin=packed)

    def status(self) -> list[Status]:
        """Every container with its URL, health and process id; setup is healthy when it ended well."""
        containers = sorted(self._listed(), key=lambda one: str(one["Name"]))
        if not containers:
            return []
        pids = docker("inspect", "--format", "{{.State.Pid}}", *(one["ID"] for one in containers)).split()
        return [self._status(one, int(pid)) for one, pid in zip(containers, pids, strict=True)]

    def file(self, part: str, path: Path) -> str:
        """Text of a file in the part's container, which needs no program for it."""
        packed = _run(["docker", "cp", f"{self.ids(part)[0]}:{path}", "-"])
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            content = tar.extractfile(tar.next() or "")
            assert content
            return content.read().decode()

    def compose(self, *arguments: str) -> str:
        """Output of `docker compose`.

        Raises:
            ContainersError: It refuses.
        """
        return _run(["docker", "compose", *arguments]).decode()

    def _change_rules(self, change: str, *arguments: str) -> None:
        """Run a line of Python about the drill's file, where `setup` may write and Prometheus may only read."""
        program = f"import pathlib, sys; path = pathlib.Path(sys.argv[1]); {change}"
        words = ("-c", program, str(inside.PROMETHEUS / "rules" / DRILL_RULES), *arguments)
        self.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "setup", *words)
        docker("kill", "--signal", "HUP", *self.ids("prometheus"))

    def _listed(self) -> list[Mapping[str, Any]]:
        """Every container of the project, running or not."""
        return [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]

    def _list(self, method: str, which: str) -> None:
        """Tell `verify`, which publishes no port, which inference services to list."""
        url = f"http://127.0.0.1:{inside.VERIFY_PORT}/targets/{ENGINE_PART}{which}"
        self.compose("exec", "-T", "verify", "python", "-c", _CALL, method, url)

    @contextmanager
    def _ended(self, part: str) -> Iterator[str]:
        """The part's container while it is stopped; it is healthy again afterwards."""
        (container,) = self.ids(part)
        self.compose("stop", part)
        try:
            yield container
        finally:
            self.compose("up", "--wait", "--no-deps", "--no-recreate", part)

    def _status(self, container: Mapping[str, Any], pid: int) -> Status:
        name = container["Service"]
        try:
            url = self.url(name)
        except KeyError:
            url = ""
        ended_well = container["State"] == "exited" and container["ExitCode"] == 0
        # One without a health check is as well as it runs.
        well = container["Health"] in {"healthy", ""} and container["State"] == "running"
        return Status(name, url, well or ended_well, pid or None)


def _replica(container: Mapping[str, Any]) -> str:
    """`inference-2` of the second container of the service inference."""
    return f"{container['Service']}-{container['Name'].rpartition('-')[2]}"


def docker(*arguments: str) -> str:
    """Output of `docker`.

    Raises:
        ContainersError: It refuses.
    """
    return _run(["docker", *arguments]).decode()


def _inside_url(part: str) -> str:
    return {one.name: one.url for one in inside.parts()}[part]


def _inside_port(part: str) -> str:
    return _inside_url(part).rpartition(":")[2]


def _run(command: list[str], stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> bytes:
    try:
        with subprocess.Popen(
            command,
            cwd=FOLDER,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as ran:
            if stdin and ran.stdin:
                with suppress(BrokenPipeError):  # it has said why on its standard error
                    shutil.copyfileobj(stdin, ran.stdin)
            output, errors = ran.communicate()
    except FileNotFoundError as error:
        raise ContainersError(
            "there is no `docker` here; install Docker Engine and Compose, or use `make up`"
        ) from error
    if ran.returncode:
        raise ContainersError(f"{' '.join(command[:3])}: {errors.decode(errors='replace').strip()}")
    return output or b""
