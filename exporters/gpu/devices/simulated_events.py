"""The event set of the simulated library: which GPUs it listens to and what it has told, as the real one keeps."""

import ctypes
from collections.abc import Callable
from typing import Any

from exporters.gpu.devices.codes import Code
from exporters.gpu.simulator.machine import Machine, XidEvent

XID_CRITICAL = 0x8
_SET = 0x5E7


class SimulatedEvents:
    """One event set over a machine.

    Args:
        machine: Whose events are told.
        sickness: Code that a GPU answers with, SUCCESS for a healthy one.
        first_handle: Handle of GPU 0; the others count on from there.
    """

    def __init__(self, machine: Machine, sickness: Callable[[Machine, int], int], first_handle: int) -> None:
        self._machine = machine
        self._sickness = sickness
        self._first_handle = first_handle
        self._listens_to: set[int] = set()
        self._told = 0
        self._waiting: list[XidEvent] = []
        self.calls: dict[str, Callable[..., int]] = {
            "nvmlEventSetCreate": self._create,
            "nvmlEventSetFree": self._free,
            "nvmlDeviceGetSupportedEventTypes": self._supported,
            "nvmlDeviceRegisterEvents": self._register,
            "nvmlEventSetWait_v2": self._wait,
        }

    def _create(self, out: Any) -> int:
        self._listens_to.clear()
        self._told = self._machine.event_count()
        ctypes.c_void_p.from_buffer(out._obj).value = _SET
        return Code.SUCCESS

    def _free(self, _set: Any) -> int:
        self._listens_to.clear()
        return Code.SUCCESS

    def _supported(self, handle: Any, out: Any) -> int:
        out._obj.value = XID_CRITICAL
        return self._sickness(self._machine, self._index(handle))

    def _register(self, handle: Any, kinds: Any, _set: Any) -> int:
        sick = self._sickness(self._machine, self._index(handle))
        if not sick:
            self._listens_to.add(self._index(handle))
        return sick

    def _wait(self, _set: Any, out: Any, milliseconds: Any) -> int:
        if not self._waiting:
            found = self._machine.events_after(self._told, milliseconds.value / 1000)
            self._told = found[-1].number if found else self._told
            self._waiting = [event for event in found if event.index in self._listens_to]
        if self._waiting:
            event = self._waiting.pop(0)
            ctypes.c_void_p.from_buffer(out._obj).value = self._first_handle + event.index
            out._obj.eventType, out._obj.eventData = XID_CRITICAL, event.xid
            return Code.SUCCESS
        # A GPU that is gone takes the event set with it, once it has told why.
        lost = any(self._machine.observe(index).state == "lost" for index in self._listens_to)
        return Code.GPU_IS_LOST if lost else Code.TIMEOUT

    def _index(self, handle: Any) -> int:
        return (ctypes.cast(handle, ctypes.c_void_p).value or 0) - self._first_handle
