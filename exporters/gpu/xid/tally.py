"""Counts of XIDs and SXids from two sources that tell of the same events; each event counts once.

Keyed by PCI address, which both sources know. Knows neither NVML nor the kernel log nor Prometheus.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Source = Literal["nvml", "kernel_log"]

OTHER = "other"
"""In place of a code or switch beyond the bound: telemetry does not grow with what a broken machine says."""
_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-7])?")
_MOST_KEYS = 256
_SAME_EVENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """How often one code was seen on one GPU, or on one NVSwitch."""

    place: str
    """PCI address of the GPU, as `pci_address` writes it; name of the NVSwitch, such as `nvidia-nvswitch3`."""
    code: str
    count: int
    """Since the exporter started."""
    last_seen_at: float
    """Seconds since the epoch; can lie before the exporter's start."""


@dataclass(frozen=True, slots=True)
class Errors:
    """What was seen so far."""

    xids: tuple[Sighting, ...] = ()
    sxids: tuple[Sighting, ...] = ()
    watcher_alive_at: float | None = None
    """When NVML's event path last gave a sign of life, in seconds since the epoch; None before the first."""
    kernel_log_readable: bool | None = None
    """None where the kernel log is not to be read."""


class Tally:
    """Counts for several threads.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._last: dict[tuple[str, str, str], float] = {}
        self._unmatched: list[tuple[float, Source, str, int]] = []
        self._watcher_alive_at: float | None = None
        self._kernel_log_readable: bool | None = None

    def xid(self, source: Source, pci_bus_id: str, code: int, at: float) -> None:
        """An XID of a GPU, seen now. The same event from the other source does not count again.

        Args:
            source: Who tells.
            pci_bus_id: The GPU's address, in any spelling.
            code: The XID.
            at: When it happened, in seconds since the epoch.
        """
        with self._lock:
            place = pci_address(pci_bus_id)
            self._see(("xid", place, str(code)), at, 0 if self._told_before(source, place, code) else 1)

    def sxid(self, switch: str, code: int, at: float) -> None:
        """An SXid of an NVSwitch, seen now in the kernel log."""
        with self._lock:
            self._see(("sxid", switch, str(code)), at, 1)

    def history(self, kind: Literal["xid", "sxid"], place: str, code: int, at: float) -> None:
        """An event from before the exporter's start: has a time, but does not count."""
        with self._lock:
            self._see((kind, pci_address(place) if kind == "xid" else place, str(code)), at, 0)

    def watcher_alive(self, at: float) -> None:
        """NVML's event path gave a sign of life."""
        self._watcher_alive_at = at

    def kernel_log(self, *, readable: bool) -> None:
        """Whether the kernel log can be read."""
        self._kernel_log_readable = readable

    def errors(self) -> Errors:
        """What was seen so far."""
        with self._lock:
            seen: dict[str, list[Sighting]] = {"xid": [], "sxid": []}
            for (kind, place, code), at in sorted(self._last.items()):
                seen[kind].append(Sighting(place, code, self._counts[kind, place, code], at))
        return Errors(tuple(seen["xid"]), tuple(seen["sxid"]), self._watcher_alive_at, self._kernel_log_readable)

    def _told_before(self, source: Source, place: str, code: int) -> bool:
        """Whether the other source has told of this event; each telling explains one other."""
        now = self._clock()
        self._unmatched = [one for one in self._unmatched if now - one[0] < _SAME_EVENT_SECONDS]
        for one in self._unmatched:
            if one[1] != source and one[2:] == (place, code):
                self._unmatched.remove(one)
                return True
        self._unmatched.append((now, source, place, code))
        return False

    def _see(self, key: tuple[str, str, str], at: float, times: int) -> None:
        if key not in self._last and len(self._last) >= _MOST_KEYS:
            key = (key[0], OTHER, OTHER)
        self._counts[key] += times
        self._last[key] = max(at, self._last.get(key, at))


def pci_address(text: str) -> str:
    """One spelling for what NVML (`00000000:18:00.0`) and the kernel log (`0000:18:00`) call the same."""
    found = _ADDRESS.fullmatch(text.lower())
    return text.lower() if found is None else f"{int(found[1], 16):04x}:{found[2]}:{found[3]}"
