"""Where a child is: which GPU, which NVML call, since when. One page of memory that two processes see.

A child that is stuck in a call cannot say so. It writes down where it goes before it goes there.
"""

import mmap
import os
import struct
import time
from dataclasses import dataclass

_PLACE = struct.Struct("=Id")
_CALL = struct.Struct("=64s")
_NO_GPU = 0  # indices are stored from 1: a fresh page is all zeros


@dataclass(frozen=True, slots=True)
class Where:
    """The newest step of a child."""

    index: int | None
    """Of the GPU; None where the driver as a whole is asked."""
    call: str
    """The newest NVML function; empty before the first."""
    since: float
    """When it came to this GPU, by `time.monotonic`, which all processes of a machine share."""


class Progress:
    """A child's note of where it is.

    Args:
        number: File descriptor of the memory; `create` makes one.
    """

    def __init__(self, number: int) -> None:
        self._page = mmap.mmap(number, mmap.PAGESIZE)

    @staticmethod
    def create() -> int:
        """A file descriptor of memory without a name, for both processes to map."""
        number = os.memfd_create("gpu-exporter-progress")
        os.ftruncate(number, mmap.PAGESIZE)
        return number

    def enter(self, index: int | None) -> None:
        """From here on calls are about this GPU, or about the driver."""
        _PLACE.pack_into(self._page, 0, _NO_GPU if index is None else index + 1, time.monotonic())

    def call(self, name: str) -> None:
        """This call begins."""
        _CALL.pack_into(self._page, _PLACE.size, name.encode())

    def where(self) -> Where:
        """The newest step."""
        place, since = _PLACE.unpack_from(self._page)
        (name,) = _CALL.unpack_from(self._page, _PLACE.size)
        return Where(None if place == _NO_GPU else place - 1, name.rstrip(b"\0").decode(errors="replace"), since)

    def close(self) -> None:
        """Let go of the memory."""
        self._page.close()
