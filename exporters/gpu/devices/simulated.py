"""A simulated machine shown as NVIDIA's library: what pynvml calls where there is no driver.

Stands below pynvml: it takes the C structures that pynvml passes and fills them in, so that the code that
reads a real card is the code that reads a simulated one. Holds no state of the machine. A function that is not
here does not exist, as in a library that is older than the call.
"""

import ctypes
import functools
import time
from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.devices.simulated_events import SimulatedEvents
from exporters.gpu.devices.standin import DEVICE_CALLS
from exporters.gpu.devices.standin.activity import Samples
from exporters.gpu.devices.standin.tenants import FIRST_MIG_HANDLE, MIG_CALLS, MOST_INSTANCES, process_name
from exporters.gpu.simulator.machine import Machine

_FIRST_HANDLE = 0x1000
_DRIVER_CODES = {"not_loaded": Code.DRIVER_NOT_LOADED, "mismatch": Code.LIB_RM_VERSION_MISMATCH}


class SimulatedLibrary:
    """What pynvml holds in place of the loaded libnvidia-ml.so.1.

    Args:
        machine: The GPUs to show; faults set on it appear in the very next call.
        call_seconds: How long each call takes; those of a real driver take microseconds to milliseconds.
    """

    def __init__(self, machine: Machine, call_seconds: float = 0.0) -> None:
        self._machine = machine
        self._call_seconds = call_seconds
        self._events = SimulatedEvents(machine, _sickness, _FIRST_HANDLE)
        samples = Samples()
        self._system_calls = _SYSTEM_CALLS | {
            "nvmlGpmSampleAlloc": samples.allocate,
            "nvmlGpmSampleFree": samples.free,
            "nvmlGpmMetricsGet": samples.compare,
        }
        # pynvml sets `restype` on this one, which a bound method refuses.
        self.nvmlErrorString = functools.partial(_error_string)

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Resolve an NVML function, as the dynamic linker would. Raises AttributeError where there is none."""
        found = self._resolve(name)
        return functools.partial(self._slowly, found) if self._call_seconds else found

    def _slowly(self, call: Callable[..., int], *arguments: Any) -> int:
        time.sleep(self._call_seconds)
        return call(*arguments)

    def _resolve(self, name: str) -> Callable[..., int]:
        if name in self._system_calls:
            return functools.partial(self._call_system, self._system_calls[name])
        if name in DEVICE_CALLS or name in MIG_CALLS:
            return functools.partial(self._call_device, name)
        if name in self._events.calls:
            return functools.partial(self._call_events, name)
        raise AttributeError(name)

    def _call_system(self, call: Callable[..., int], *arguments: Any) -> int:
        return _DRIVER_CODES.get(self._machine.driver) or call(self._machine, *arguments)

    def _call_events(self, name: str, *arguments: Any) -> int:
        return _DRIVER_CODES.get(self._machine.driver) or self._events.calls[name](*arguments)

    def _call_device(self, name: str, handle: Any, *arguments: Any) -> int:
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        if address >= FIRST_MIG_HANDLE:
            return self._call_instance(name, *divmod(address - FIRST_MIG_HANDLE, MOST_INSTANCES), *arguments)
        index = address - _FIRST_HANDLE
        sick = _DRIVER_CODES.get(self._machine.driver) or _sickness(self._machine, index)
        if sick:
            return sick
        gpu = self._machine.observe(index)
        if name not in DEVICE_CALLS or name in self._machine.profile.unsupported or name in gpu.unsupported:
            return Code.NOT_SUPPORTED
        return DEVICE_CALLS[name](self._machine, gpu, *arguments)

    def _call_instance(self, name: str, index: int, place: int, *arguments: Any) -> int:
        sick = _DRIVER_CODES.get(self._machine.driver) or _sickness(self._machine, index)
        if sick:
            return sick
        if name not in MIG_CALLS:
            return Code.NOT_SUPPORTED
        return MIG_CALLS[name](self._machine, self._machine.observe(index), place, *arguments)


def _sickness(machine: Machine, index: int) -> int:
    """The code that every call of this GPU returns, SUCCESS for a healthy one; does not return while it hangs."""
    if not 0 <= index < machine.gpu_count:
        return Code.INVALID_ARGUMENT
    machine.wait_while_hanging(index)
    if machine.driver != "ok":
        return _DRIVER_CODES[machine.driver]
    return Code.GPU_IS_LOST if machine.observe(index).state == "lost" else Code.SUCCESS


def _error_string(code: int) -> bytes:
    return f"simulated driver: code {int(code)}".encode()


def _init(machine: Machine, flags: int = 0) -> int:
    return Code.SUCCESS


def _shutdown(machine: Machine) -> int:
    return Code.SUCCESS


def _driver_version(machine: Machine, buffer: Any, size: Any) -> int:
    buffer.value = machine.profile.driver_version.encode()
    return Code.SUCCESS


def _cuda_version(machine: Machine, out: Any) -> int:
    out._obj.value = machine.profile.cuda_version
    return Code.SUCCESS


def _count(machine: Machine, out: Any) -> int:
    out._obj.value = machine.gpu_count
    return Code.SUCCESS


def _handle_by_index(machine: Machine, index: Any, out: Any) -> int:
    # A card that fell off the bus already fails here on real machines.
    sick = _sickness(machine, index.value)
    if not sick:
        ctypes.c_void_p.from_buffer(out._obj).value = _FIRST_HANDLE + index.value
    return sick


_SYSTEM_CALLS: dict[str, Callable[..., int]] = {
    "nvmlInitWithFlags": _init,
    "nvmlShutdown": _shutdown,
    "nvmlSystemGetDriverVersion": _driver_version,
    "nvmlSystemGetCudaDriverVersion": _cuda_version,
    "nvmlSystemGetProcessName": process_name,
    "nvmlDeviceGetCount_v2": _count,
    "nvmlDeviceGetHandleByIndex_v2": _handle_by_index,
}
