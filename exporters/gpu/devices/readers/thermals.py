"""Temperatures and thresholds, of which newer cards report only differences."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu, first
from exporters.gpu.devices.codes import Field

FIELDS = (
    (Field.MEMORY_TEMP, 0),
    (Field.TEMPERATURE_SLOWDOWN_TLIMIT, 0),
    (Field.TEMPERATURE_SHUTDOWN_TLIMIT, 0),
)
_DIE = 0
_SHUTDOWN, _SLOWDOWN = 0, 1  # kinds of threshold, as in nvml.h


@dataclass(frozen=True, slots=True)
class Thermals:
    """Temperatures and what is left before the hardware acts."""

    gpu_celsius: float | None = None
    memory_celsius: float | None = None
    margin_celsius: float | None = None
    """Degrees left before hardware slowdown; 0 or below means slowed down."""
    slowdown_celsius: float | None = None
    shutdown_celsius: float | None = None


def read(gpu: Gpu) -> Thermals:
    """By nvmlDeviceGetTemperatureV, nvmlDeviceGetMarginTemperature, thresholds; `nvidia-smi -q -d TEMPERATURE`."""
    temperature = first(
        lambda: gpu.ask("nvmlDeviceGetTemperatureV", _DIE),
        lambda: gpu.ask("nvmlDeviceGetTemperature", _DIE),
    )
    distance = gpu.ask("nvmlDeviceGetMarginTemperature")
    slowdown_offset = _signed(gpu.field(Field.TEMPERATURE_SLOWDOWN_TLIMIT))
    shutdown_offset = _signed(gpu.field(Field.TEMPERATURE_SHUTDOWN_TLIMIT))
    zero = None if temperature is None or distance is None else temperature + distance
    slowdown = _threshold(gpu, _SLOWDOWN, zero, slowdown_offset)
    return Thermals(
        gpu_celsius=temperature,
        memory_celsius=gpu.field(Field.MEMORY_TEMP),
        margin_celsius=_margin(distance, slowdown_offset, temperature, slowdown),
        slowdown_celsius=slowdown,
        shutdown_celsius=_threshold(gpu, _SHUTDOWN, zero, shutdown_offset),
    )


def _threshold(gpu: Gpu, kind: int, zero: float | None, offset: float | None) -> float | None:
    """A threshold in degrees: asked, else computed from the distance to the operating limit.

    Kept once computed: temperature and distance are read at two instants, and a threshold must not wobble.
    """
    asked = gpu.ask("nvmlDeviceGetTemperatureThreshold", kind)
    if asked is not None:
        return float(asked)
    computed = None if zero is None or offset is None else zero - offset
    return gpu.keep(f"threshold {kind}", computed)


def _margin(
    distance: float | None, offset: float | None, temperature: float | None, slowdown: float | None
) -> float | None:
    """Degrees left before hardware slowdown, from what this card reports.

    Since Ada the driver gives the distance to the operating limit, and the slowdown threshold as an offset to it
    (-2, say): slowdown comes 2 degrees after the distance reaches 0.
    """
    if distance is not None:
        return distance - (offset or 0.0)
    if temperature is None or slowdown is None:
        return None
    return slowdown - temperature


def _signed(value: float | None) -> float | None:
    # The offsets are negative; a driver that types the field as unsigned wraps them around.
    return value - 2**32 if value is not None and value >= 2**31 else value
