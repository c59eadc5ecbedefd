"""Every port of the stack, once: the variable that moves it, its default, and who holds it when it is taken."""

import itertools
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
_HIGHEST = 65535
_LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port on loopback."""

    part: str
    variable: str
    default: int


PORTS = (
    Port("inference", "INFERENCE_PORT", 8000),
    Port("gpu-exporter", "GPU_EXPORTER_PORT", 9836),
    Port("probe", "PROBE_PORT", 9837),
    Port("deadman", "DEADMAN_PORT", 9838),
    Port("inbox", "INBOX_HTTP_PORT", 8025),
    Port("inbox-smtp", "INBOX_SMTP_PORT", 1025),
    Port("prometheus", "PROMETHEUS_PORT", 9090),
    Port("alertmanager", "ALERTMANAGER_PORT", 9093),
    Port("node-exporter", "NODE_EXPORTER_PORT", 9100),
)
CONTAINER_PORTS = (
    Port("grafana", "GRAFANA_PORT", 3000),
    Port("tempo", "TEMPO_PORT", 3200),
    Port("loki", "LOKI_PORT", 3100),
    Port("otlp-grpc", "OTLP_GRPC_PORT", 4317),
    Port("otlp-http", "OTLP_HTTP_PORT", 4318),
)
"""Of what runs in containers only. Inside the containers every part listens on its default port."""
VARIABLES = {port.part: port.variable for port in PORTS}


def chosen(environment: Mapping[str, str], fallback: Mapping[str, int]) -> dict[str, int]:
    """Port number by part: from the environment, else from fallback, else the default.

    Raises:
        ValueError: A variable holds no port number, or two parts share one.
    """
    ports: dict[str, int] = {}
    for port in PORTS:
        number = _number(port, environment.get(port.variable, "")) or fallback.get(port.part, port.default)
        for other, used in ports.items():
            if used == number:
                raise ValueError(f"{VARIABLES[other]} and {port.variable} are both {number}; give each its own port")
        ports[port.part] = number
    return ports


def taken(ports: Mapping[str, int]) -> list[str]:
    """One line for each port that cannot be bound now: what to set, and who holds it where that can be seen."""
    return [
        f"port {number} is taken{holder(number)}; set {VARIABLES[part]} to a free port"
        for part, number in ports.items()
        if not _free(number)
    ]


def next_free(number: int, count: int) -> tuple[int, ...]:
    """So many ports above a number that can be bound now, lowest first.

    Raises:
        OSError: There are not so many.
    """
    found = tuple(itertools.islice(filter(_free, range(number + 1, _HIGHEST + 1)), count))
    if len(found) < count:
        raise OSError(f"no {count} free ports above {number}")
    return found


def holder(number: int) -> str:
    """` by NAME (pid N)` of the process that listens on a port, or empty where that cannot be seen."""
    inodes = {f"socket:[{inode}]" for inode in _listening(number)}
    for pid in _pids():
        try:
            if any(os.readlink(link) in inodes for link in Path(f"/proc/{pid}/fd").iterdir()):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                return f" by {name} (pid {pid})"
        except OSError:  # it ended, or belongs to someone else
            continue
    return ""


def _number(port: Port, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST:
        raise ValueError(f"{port.variable} must be a port number from 1 to {_HIGHEST}, got {text!r}")
    return int(text)


def _free(number: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As every server of the stack does: a connection that lingers from the last run blocks nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, number))
        except OSError:
            return False
    return True


def _listening(number: int) -> Iterable[str]:
    """Inodes of the sockets that listen on a port."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == number:
                yield fields[9]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
