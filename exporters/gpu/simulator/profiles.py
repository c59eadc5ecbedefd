"""What a simulated card is. Numbers with their origin; a guess is called a guess.

What each card supports is taken from published captures of such cards under load; where a capture says nothing,
the card is given what its neighbours have.
"""

from dataclasses import dataclass, replace

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Profile:
    """A card: its size, its limits, how it warms, and what it does not support."""

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
    least_power_limit_watts: float
    max_clock_megahertz: tuple[int, int, int, int]
    """Graphics, multiprocessors, memory, video."""
    idle_clock_megahertz: int
    """Of graphics and multiprocessors."""
    idle_performance_state: int
    pcie_generation: int
    idle_pcie_generation: int
    pcie_lanes: int
    nvlinks: int = 0
    fans: int = 0
    activity: bool = False
    """Whether GPM works: Hopper and newer."""
    mig: tuple[str, ...] = ()
    """Profiles of the MIG instances that the GPU is split into."""
    unsupported: frozenset[str] = frozenset()
    """NVML functions that this card answers with NOT_SUPPORTED."""
    unsupported_fields: frozenset[str] = frozenset()
    """Field values likewise, by NVML's name without its prefix; an ending `*` stands for all that begin so."""


_PAGES = frozenset({"RETIRED_*"})  # cards that remap rows retire no pages
_NO_LINKS = frozenset({"NVLINK_*"})
_LINKS_5 = frozenset({"NVLINK_COUNT_*"})  # Blackwell's counters
_NOT_SPLITTABLE = frozenset({"nvmlDeviceGetMigMode", "nvmlDeviceGetGpuFabricInfoV", "nvmlGpmQueryDeviceSupport"})
_NO_FANS = frozenset({"nvmlDeviceGetNumFans"})

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
    least_power_limit_watts=200.0,
    max_clock_megahertz=(1980, 1980, 3201, 1545),
    idle_clock_megahertz=345,
    idle_performance_state=0,
    pcie_generation=5,
    idle_pcie_generation=5,  # a guess: data centre cards keep their link up
    pcie_lanes=16,
    nvlinks=18,
    activity=True,
    # Since Ada the thresholds come as offsets by field value, not through this call.
    unsupported=frozenset({"nvmlDeviceGetTemperatureThreshold"}) | _NO_FANS,
    unsupported_fields=_PAGES | _LINKS_5,
)

H100 = replace(
    H200,
    name="NVIDIA H100 80GB HBM3",
    memory_total_bytes=81559 * MIB,
    memory_reserved_bytes=550 * MIB,  # a guess
    idle_watts=70.0,
    max_clock_megahertz=(1980, 1980, 2619, 1545),
)

L40S = Profile(
    name="NVIDIA L40S",
    driver_version="595.45.04",
    cuda_version=13020,
    vbios_version="95.02.00.00.00",
    memory_total_bytes=46068 * MIB,
    memory_reserved_bytes=500 * MIB,  # a guess
    idle_watts=35.0,
    busy_watts=300.0,
    power_limit_watts=350.0,
    coolant_celsius=27.0,  # this and the next: a guess that gives 31 C idle and 63 C busy
    celsius_per_watt=0.12,
    memory_rise_celsius=0.0,
    operating_limit_celsius=87.0,  # this and the offsets: a guess
    slowdown_offset_celsius=-2,
    shutdown_offset_celsius=-5,
    least_power_limit_watts=100.0,
    max_clock_megahertz=(2520, 2520, 9001, 1965),
    idle_clock_megahertz=210,
    idle_performance_state=8,
    pcie_generation=4,
    idle_pcie_generation=1,  # a guess
    pcie_lanes=16,
    unsupported=frozenset({"nvmlDeviceGetTemperatureThreshold"}) | _NO_FANS | _NOT_SPLITTABLE,
    unsupported_fields=frozenset({"MEMORY_TEMP"}) | _PAGES | _NO_LINKS,
)

RTX = replace(
    L40S,
    name="NVIDIA GeForce RTX 4080 SUPER",
    vbios_version="95.03.00.00.00",
    memory_total_bytes=16376 * MIB,
    memory_reserved_bytes=350 * MIB,  # a guess
    idle_watts=12.0,
    busy_watts=270.0,
    power_limit_watts=320.0,
    operating_limit_celsius=90.0,  # a guess
    least_power_limit_watts=150.0,
    max_clock_megahertz=(3105, 3105, 11501, 2415),
    fans=2,
    unsupported=_NOT_SPLITTABLE
    | {
        "nvmlDeviceGetMarginTemperature",
        "nvmlDeviceGetRemappedRows",
        "nvmlDeviceGetRowRemapperHistogram",
        "nvmlDeviceGetTotalEccErrors",
    },
    unsupported_fields=frozenset({"MEMORY_TEMP", "TEMPERATURE_*", "ECC_*", "REMAPPED_*"}) | _PAGES | _NO_LINKS,
)

H200_MIG = replace(
    H200,
    mig=("3g.71gb", "2g.35gb", "1g.18gb", "1g.18gb"),
    unsupported=H200.unsupported
    | {
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetRemappedRows",
        "nvmlDeviceGetEncoderUtilization",
        "nvmlDeviceGetDecoderUtilization",
        "nvmlDeviceGetJpgUtilization",
        "nvmlDeviceGetOfaUtilization",
    },
    unsupported_fields=H200.unsupported_fields | {"REMAPPED_*"},
)

PROFILES = {"h200": H200, "h100": H100, "l40s": L40S, "rtx": RTX, "h200-mig": H200_MIG}
"""Every card that `--simulated-profile` takes."""
