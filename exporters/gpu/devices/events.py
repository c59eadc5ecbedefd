"""XIDs as the driver reports them: NVML's event set, for those GPUs that are listened to."""

import ctypes
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from exporters.gpu.devices.asking import Library, Refused, device_error
from exporters.gpu.devices.codes import NOT_SUPPORTED, Code


@dataclass(frozen=True, slots=True)
class XidSeen:
    """One event."""

    pci_bus_id: str
    """Of the GPU; empty where the driver names one that is not listened to."""
    xid: int


class XidEvents:
    """An event set. Ends with NVML; makes a DeviceError of everything that ends it earlier.

    Args:
        library: NVML, opened.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._places: dict[int, str] = {}
        self._set = self._call("nvmlEventSetCreate")

    def listen(self, index: int) -> bool:
        """Hear of this GPU from now on, once more if it was heard before; False where it reports no XIDs.

        Raises:
            DeviceError: The GPU, or the driver, does not answer.
        """
        xid = self._library.constant("nvmlEventTypeXidCriticalError")
        try:
            handle = self._library.invoke("nvmlDeviceGetHandleByIndex", index)
            if not self._library.invoke("nvmlDeviceGetSupportedEventTypes", handle) & xid:
                return False
            place = self._library.invoke("nvmlDeviceGetPciInfo", handle).busId
            self._library.invoke("nvmlDeviceRegisterEvents", handle, xid, self._set)
        except Refused as refused:
            if refused.code in NOT_SUPPORTED:
                return False
            raise device_error(refused, f"GPU {index}: listening for XIDs") from refused
        # Kept here: a GPU that is lost, which is when it has most to tell, cannot be asked who it is.
        self._places[_address(handle)] = place
        return True

    def wait(self, seconds: float) -> XidSeen | None:
        """The next XID; None where none came in this time.

        Raises:
            DeviceError: The event set is dead; another one may live.
        """
        if not self._places:
            time.sleep(seconds)
            return None
        try:
            event = self._library.invoke("nvmlEventSetWait_v2", self._set, round(1000 * seconds))
        except Refused as refused:
            if refused.code == Code.TIMEOUT:
                return None
            raise device_error(refused, "waiting for XIDs") from refused
        return XidSeen(self._places.get(_address(event.device), ""), int(event.eventData))

    def close(self) -> None:
        """Free the event set. Never raises."""
        with suppress(Refused):
            self._library.invoke("nvmlEventSetFree", self._set)

    def _call(self, name: str) -> Any:
        try:
            return self._library.invoke(name)
        except Refused as refused:
            raise device_error(refused, name) from refused


def _address(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
