"""XIDs and SXids from the kernel log: those that NVML's events do not carry, and those of NVSwitches.

Reading /dev/kmsg takes root, or CAP_SYSLOG where `kernel.dmesg_restrict` is 1; in a container the device has to be
passed in as well. Without it, XIDs that NVML does not deliver, SXids, and what happened before the start are unknown.
"""

import logging
import os
import re
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporters.gpu.xid.tally import Tally

LOG = logging.getLogger(__name__)

_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d{1,4})\b")
_SXID = re.compile(r"(nvidia-nvswitch\d+): SXid \(PCI:[0-9a-fA-F:.]+\): (\d{1,6})\b")
_STAMP = re.compile(r"^\d+,\d+,(\d+),[^;]*;")
_RECORD_BYTES = 8192  # /dev/kmsg gives one record a read, none longer
_LOOK_AGAIN_SECONDS = 0.5
_TRY_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Entry:
    """An error in the kernel log."""

    kind: Literal["xid", "sxid"]
    place: str
    """PCI address of the GPU, or the switch."""
    code: int
    at: float
    """Seconds since the epoch."""


def parse(line: str, now: float, booted_at: float) -> Entry | None:
    """The error that a line tells of; None for every other line.

    Args:
        line: A record of /dev/kmsg, or a line of a log file.
        now: For lines without a time of their own; seconds since the epoch.
        booted_at: What the times of /dev/kmsg count from; seconds since the epoch.
    """
    stamp = _STAMP.match(line)
    at = now if stamp is None else min(now, booted_at + int(stamp[1]) / 1e6)
    if found := _XID.search(line):
        return Entry("xid", found[1], int(found[2]), at)
    if found := _SXID.search(line):
        return Entry("sxid", found[1], int(found[2]), at)
    return None


class KernelLog:
    """A thread that follows the kernel log.

    Args:
        path: /dev/kmsg, or a file that something appends the kernel log to.
        tally: Told of every error.
        wall: Seconds since the epoch.
    """

    def __init__(self, path: Path, tally: Tally, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._tally = tally
        self._wall = wall
        self._met_end = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kernel log", daemon=True)

    def start(self) -> None:
        """Begin to read: first what is there, as history, then what comes."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self._thread.join(2 * _LOOK_AGAIN_SECONDS)

    def _run(self) -> None:
        said = ""
        while not self._stopped.is_set():
            try:
                number = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
                with os.fdopen(number, "rb", buffering=0):
                    self._tally.kernel_log(readable=True)
                    self._follow(number)
                said = ""
            except OSError as error:
                self._tally.kernel_log(readable=False)
                if (reason := error.strerror or str(error)) != said:
                    LOG.warning("kernel log %s: %s; some XIDs and all SXids stay unknown", self._path, reason)
                said = reason
                self._stopped.wait(_TRY_AGAIN_SECONDS)

    def _follow(self, number: int) -> None:
        """Read until the end of the exporter, or until the file is another one."""
        opened = os.fstat(number)
        history, self._met_end = not self._met_end, True
        for line in self._lines(number):
            if line is None:
                history = False
                if self._stopped.is_set() or self._replaced(opened, number):
                    return
            else:
                # Anew for each line: the wall clock of a host that has just started may still be set right.
                now = self._wall()
                booted_at = now - time.clock_gettime(time.CLOCK_MONOTONIC)  # printk's clock, as good as
                if found := parse(line, now, booted_at):
                    self._tell(found, history=history)

    def _tell(self, found: Entry, *, history: bool) -> None:
        if history:
            self._tally.history(found.kind, found.place, found.code, found.at)
        elif found.kind == "xid":
            self._tally.xid("kernel_log", found.place, found.code, found.at)
        else:
            self._tally.sxid(found.place, found.code, found.at)

    def _lines(self, number: int) -> Iterator[str | None]:
        """Lines as they come, and None whenever there is none for now."""
        rest = b""
        pollable = not stat.S_ISREG(os.fstat(number).st_mode)
        while True:
            data = b""
            try:
                data = os.read(number, _RECORD_BYTES)
            except BlockingIOError:
                pass
            except BrokenPipeError:
                continue  # older records were overwritten before we came to them
            if data:
                *lines, rest = (rest + data).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
                continue
            yield None
            if pollable:
                select.select([number], [], [], _LOOK_AGAIN_SECONDS)
            self._stopped.wait(0 if pollable else _LOOK_AGAIN_SECONDS)

    def _replaced(self, opened: os.stat_result, number: int) -> bool:
        """Whether the path leads to another file than before, or to a shorter one, as after a rotation."""
        if not stat.S_ISREG(opened.st_mode):
            return False
        with suppress(OSError):
            now = self._path.stat()
            return now.st_ino != opened.st_ino or now.st_size < os.lseek(number, 0, os.SEEK_CUR)
        return True
