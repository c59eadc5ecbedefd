"""What a simulated card is. Numbers with their origin; a guess is called a guess."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Profile:
    """A card: its size, its limits, and how it warms."""

    name: str
    driver_version: str
    cuda_version: int
    """As NVML codes it: 1000 x major + 10 x minor."""
    vbios_version: str
    memory_total_bytes: int
    memory_reserved_bytes: int
    idle_watts: float
    busy_watts: float
    """Draw at full use by inference, which leaves a part of the power limit unused."""
    power_limit_watts: float
    coolant_celsius: float
    """What the die would cool down to without power."""
    celsius_per_watt: float
    """Rise of the die over the coolant, once settled."""
    memory_rise_celsius: float
    """Device memory over the die, at full use."""
    operating_limit_celsius: float
    """Where the driver's thermal distance reads 0."""
    slowdown_offset_celsius: int
    """Hardware slowdown, in the same distance: below 0."""
    shutdown_offset_celsius: int
    unsupported: frozenset[str] = frozenset()
    """NVML functions that this card answers with NOT_SUPPORTED."""


H200 = Profile(
    name="NVIDIA H200",
    driver_version="590.48.01",
    cuda_version=13010,
    vbios_version="96.00.00.00.00",
    memory_total_bytes=143771 * MIB,  # what the driver reports for the 141 GB card
    memory_reserved_bytes=618 * MIB,
    idle_watts=74.0,
    busy_watts=610.0,
    power_limit_watts=700.0,
    coolant_celsius=27.0,  # this and the next: a guess that gives 32 C idle and 67 C busy
    celsius_per_watt=0.065,
    memory_rise_celsius=8.0,
    operating_limit_celsius=87.0,  # this and the offsets: a guess in the range that Hopper cards show
    slowdown_offset_celsius=-2,
    shutdown_offset_celsius=-5,
    # Since Ada the thresholds come as offsets by field value, not through this call.
    unsupported=frozenset({"nvmlDeviceGetTemperatureThreshold"}),
)

PROFILES = {"h200": H200}
"""Every card that `--simulated-profile` takes."""
