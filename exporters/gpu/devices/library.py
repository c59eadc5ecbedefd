"""Whether there is a driver library to load. Apart from `nvml.py`, so that the exporter itself need not load pynvml."""

import ctypes


def library_loads() -> bool:
    """Whether this machine has NVIDIA's driver library, whatever state the driver is in."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True
