"""How asking a GPU can fail. Every NVML return code ends as one of these, or as a value that is absent.

DeviceError
|-- DriverError          the whole node: no GPU can be read
|   |-- DriverMissing    no driver library, or its kernel module is not loaded
|   |-- DriverMismatch   library and kernel module are of different versions
|   `-- DriverFailed     anything else that stops the driver from starting or answering
|-- DeviceLost           this GPU no longer answers: it fell off the bus or was removed
|-- DeviceNeedsReset     this GPU answers nothing until it is reset
|-- DeviceDenied         we may not read this GPU
`-- DeviceFailed         any other refusal of this GPU
"""


class DeviceError(Exception):
    """Reading failed; the message says what was asked, of which GPU, and what the driver answered."""

    code: int | None = None
    """NVML's return code; None where the failure is not the driver's answer."""


class DriverError(DeviceError):
    """No GPU of this node can be read."""


class DriverMissing(DriverError):
    """The driver library is not installed, or its kernel module is not loaded."""


class DriverMismatch(DriverError):
    """The driver was upgraded underneath us: library and kernel module differ until a restart or reboot."""


class DriverFailed(DriverError):
    """The driver did not start, or stopped answering, for another reason."""


class DeviceLost(DeviceError):
    """This GPU no longer answers; usually only a reboot brings it back."""


class DeviceNeedsReset(DeviceError):
    """This GPU wants a reset before it answers again."""


class DeviceDenied(DeviceError):
    """The operating system or the driver does not let us read this GPU."""


class DeviceFailed(DeviceError):
    """This GPU refused for a reason that NVML does not explain."""
