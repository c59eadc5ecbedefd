"""The one door to NVML: asks one GPU at a time and answers with a `GpuReading` in base units.

Knows nothing of metrics, of other GPUs or of time. Every NVML error ends here or in `asking.py`, as None (the value
is absent) or as a `DeviceError`. Calls that NVIDIA has replaced are asked only where the newer one does not exist.
"""

import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import pynvml

from exporters.gpu.devices.asking import Gpu, Notes, Refused, device_error
from exporters.gpu.devices.errors import DeviceError, DeviceFailed, DriverError, DriverFailed
from exporters.gpu.devices.events import XidEvents
from exporters.gpu.devices.readers import OPTIONAL_READERS, READERS, Reader
from exporters.gpu.devices.reading import GpuReading, Identity

LOG = logging.getLogger(__name__)

_HOST_PID_NAMESPACE = "pid:[4026531836]"
"""The kernel's name of the first PID namespace (PROC_PID_INIT_INO in linux/proc_ns.h)."""


class Nvml:
    """The driver, open or not. Not for several threads, and one open at a time: pynvml holds it in globals.

    Args:
        library: What stands in for the driver's library; None loads the real one.
        extras: Optional subjects to read (`OPTIONAL_READERS`).
        on_call: Told the name of each NVML function before it is called.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        library: object | None = None,
        extras: Collection[str] = (),
        on_call: Callable[[str], None] = lambda call: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stand_in = library
        self._open = False
        self._library = _Pynvml(on_call, sees_all_processes=library is not None or _in_host_pid_namespace())
        self._clock = clock
        self._notes = Notes()
        self._versions = ("", "")
        self._readers = (*READERS, *(one for one in OPTIONAL_READERS if one.subject in extras))
        self._broken: set[tuple[str, str]] = set()

    def open(self) -> None:
        """Start NVML if it is not started.

        Raises:
            DriverError: The driver is missing, mismatched or failing; a later call may succeed.
        """
        if self._open:
            return
        if self._stand_in is not None:
            _replace_library(self._stand_in)
        self._notes = Notes()
        self._driver("nvmlInit")
        self._open = True
        # The _v2 call asks libcuda, which containers with the `utility` capability alone do not have.
        cuda = self._driver("nvmlSystemGetCudaDriverVersion")
        version = self._driver("nvmlSystemGetDriverVersion")
        self._versions = (version, f"{cuda // 1000}.{cuda % 1000 // 10}")

    def close(self) -> None:
        """Stop NVML; the next `open` starts it anew and asks unsupported calls again. Never raises."""
        if self._open:
            for sample in (one for pair in self._notes.samples.values() for one in pair if one is not None):
                with suppress(Refused):
                    self._library.invoke("nvmlGpmSampleFree", sample)
            with suppress(Refused):
                self._library.invoke("nvmlShutdown")
        self._open = False
        if self._stand_in is not None:
            _replace_library(None)

    def gpu_count(self) -> int:
        """How many GPUs the driver lists now; a lost one may or may not be among them.

        Raises:
            DriverError: The driver does not answer.
        """
        return int(self._driver("nvmlDeviceGetCount"))

    def read(self, index: int) -> GpuReading:
        """Everything that the GPU at this place in the driver's list says.

        Raises:
            DriverError: The driver as a whole does not answer.
            DeviceError: This GPU does not answer.
        """
        handle = self._required(f"GPU {index}", "nvmlDeviceGetHandleByIndex", index)
        uuid = str(self._required(f"GPU {index}", "nvmlDeviceGetUUID", handle))
        self._notes.now = self._clock()
        gpu = Gpu(index, uuid, handle, self._library, self._notes)
        identity = self._identity(gpu)
        # Who a GPU is, the driver remembers of one that says nothing any more.
        gpu.answered = False
        links = [key for one in self._readers if one.subject == "nvlink" for key in one.fields]
        gpu.fetch(key for one in self._readers if one.subject != "nvlink" for key in one.fields)
        gpu.fetch(links)
        parts = {one.subject: self._part(gpu, one) for one in self._readers}
        reading = GpuReading(identity, **{name: part for name, part in parts.items() if part is not None})
        if gpu.failure is not None and not gpu.answered:
            raise gpu.failure
        return reading

    def xid_events(self) -> XidEvents:
        """A set of events to listen to, as long as the driver stays open.

        Raises:
            DeviceError: The driver does not answer.
        """
        return XidEvents(self._library)

    def _part(self, gpu: Gpu, reader: Reader) -> Any | None:
        """One subject of the reading; None where our own code fails on what this card says."""
        try:
            return reader.read(gpu)
        except DeviceError:
            raise
        except Exception:
            # Cards differ, and we have not met them all: what surprises one reader must not cost the others.
            if (gpu.uuid, reader.subject) not in self._broken:
                self._broken.add((gpu.uuid, reader.subject))
                LOG.exception("GPU %s (%s): cannot read %s; said once", gpu.index, gpu.uuid, reader.subject)
            return None

    def _identity(self, gpu: Gpu) -> Identity:
        pci = gpu.ask_once("nvmlDeviceGetPciInfo")
        return Identity(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.ask_once("nvmlDeviceGetName") or "",
            pci_bus_id="" if pci is None else pci.busId,
            vbios_version=gpu.ask_once("nvmlDeviceGetVbiosVersion") or "",
            driver_version=self._versions[0],
            cuda_version=self._versions[1],
            minor_number=gpu.ask_once("nvmlDeviceGetMinorNumber"),
        )

    def _driver(self, call: str) -> Any:
        try:
            return self._library.invoke(call)
        except Refused as refused:
            found = device_error(refused, call)
            if isinstance(found, DriverError):
                raise found from refused
            failed = DriverFailed(str(found))
            failed.code = found.code
            raise failed from refused

    def _required(self, who: str, call: str, *arguments: object) -> Any:
        try:
            return self._library.invoke(call, *arguments)
        except Refused as refused:
            raise device_error(refused, f"{who}: {call}") from refused
        except UnicodeDecodeError as error:
            raise DeviceFailed(f"{who}: {call}: {error}") from error


class _Pynvml:
    """pynvml's functions, constants and structures by name."""

    def __init__(self, on_call: Callable[[str], None], *, sees_all_processes: bool) -> None:
        self.sees_all_processes = sees_all_processes
        self._on_call = on_call

    def invoke(self, call: str, *arguments: object) -> Any:
        """Call a function. Raises `Refused`."""
        self._on_call(call)
        try:
            return getattr(pynvml, call)(*arguments)
        except pynvml.NVMLError as error:
            raise Refused(error.value, type(error).__name__) from error

    def constant(self, name: str) -> Any:
        """A constant."""
        return getattr(pynvml, name)

    def structure(self, name: str) -> Any:
        """A new structure, with its version filled in where it has one."""
        return getattr(pynvml, name)()


def _replace_library(library: object | None) -> None:
    # pynvml resolves functions from this global and keeps every pointer it has found.
    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()


def _in_host_pid_namespace() -> bool:
    try:
        return os.readlink("/proc/self/ns/pid") == _HOST_PID_NAMESPACE
    except OSError:
        return False
