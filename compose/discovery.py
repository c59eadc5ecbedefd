"""Which replicas there are, for Prometheus: by Docker's DNS, and remembered for a while after they are gone from it.

Docker takes the name of a container that has died out of its DNS at once. Discovery by DNS alone would let a dead
engine vanish instead of being down.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from compose.inside import DISCOVERED, Discovered
from exporters.catalogue.labels import HOST, INSTANCE

REMEMBERED_SECONDS = 600
"""A replica that is gone for so long was taken away on purpose; until then it counts as down."""

_LOOK_SECONDS = 2

Resolve = Callable[[str], Iterable[str]]


def containers(service: str) -> set[str]:
    """Names of the running containers of a service, `project-service-1`; empty where there is none.

    By name and not by address, since an address may be another's after a restart.
    """
    try:
        addresses = socket.gethostbyname_ex(service)[2]
    except OSError:
        return set()
    return {name for address in addresses if (name := _name(address))}


def _name(address: str) -> str:
    """`project-service-1` of an address that Docker gave; empty where it names none."""
    try:
        return socket.gethostbyaddr(address)[0].partition(".")[0]
    except OSError:
        return ""


@dataclass
class Replicas:
    """Every replica that was seen of late, as targets for Prometheus."""

    host: str
    """The machine: the label `host`."""
    resolve: Resolve = containers
    clock: Callable[[], float] = time.monotonic
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _most: dict[str, tuple[int, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Look for ever, for each kind by itself: Docker takes ten seconds to say that a name is none of its own."""
        for kind in DISCOVERED:
            threading.Thread(target=self._watch, args=(kind,), name=kind.service, daemon=True).start()

    def limit(self, service: str, most: int) -> None:
        """List no replica of a service beyond this number, until `unlimit` or ten minutes have passed.

        So that one that is being started or taken away on purpose does not count as down.
        """
        with self._lock:
            self._most[service] = most, self.clock() + REMEMBERED_SECONDS
            self._seen = {(one, name): at for (one, name), at in self._seen.items() if self._wanted(one, name)}

    def unlimit(self, service: str) -> None:
        """List every replica of a service again."""
        with self._lock:
            self._most.pop(service, None)

    def look(self, kind: Discovered) -> None:
        """Take in which replicas of a kind run now."""
        # Another service may answer to this name in its place.
        names = [name for name in self.resolve(kind.service) if _is_of(kind.service, name)]
        with self._lock:
            now = self.clock()
            self._seen |= {(kind.service, name): now for name in names if self._wanted(kind.service, name)}
            self._seen = {key: at for key, at in self._seen.items() if now - at < REMEMBERED_SECONDS}

    def targets(self) -> list[dict[str, object]]:
        """As Prometheus' HTTP discovery takes them."""
        kinds = {kind.service: kind for kind in DISCOVERED}
        with self._lock:
            seen = sorted(self._seen)
        return [self._target(kinds[service], name) for service, name in seen]

    def _watch(self, kind: Discovered) -> None:
        while True:
            self.look(kind)
            time.sleep(_LOOK_SECONDS)

    def _wanted(self, service: str, name: str) -> bool:
        most, until = self._most.get(service, (0, 0.0))
        return self.clock() >= until or int(name.rpartition("-")[2]) <= most

    def _target(self, kind: Discovered, name: str) -> dict[str, object]:
        instance = f"{kind.service}-{name.rpartition('-')[2]}:{kind.port}"
        return {"targets": [f"{name}:{kind.port}"], "labels": {**kind.labels, HOST: self.host, INSTANCE: instance}}


def _is_of(service: str, container: str) -> bool:
    """Whether a container, named project-service-number, is one of the service's."""
    return container.rpartition("-")[0].endswith(f"-{service}")
