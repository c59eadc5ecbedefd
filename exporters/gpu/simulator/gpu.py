"""One simulated GPU: how load becomes use, use becomes power, and power becomes heat.

Moves in steps of one second, so that what it shows does not depend on how often it is asked.
"""

import math
import uuid
from dataclasses import dataclass
from random import Random
from typing import Literal

from exporters.gpu.simulator.counters import Counts, after, erring
from exporters.gpu.simulator.profiles import Profile

GpuState = Literal["ok", "lost", "hang"]

THROTTLE_REASONS = (
    "gpu_idle",
    "applications_clocks",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal",
    "hw_thermal",
    "hw_power_brake",
    "display_clocks",
)
"""Why clocks can be held down, in the order of NVML's bits 0x1 to 0x100."""

STEP_SECONDS = 1.0
_POWER_SETTLES_SECONDS = 1.5
_HEAT_SETTLES_SECONDS = 20.0
_FIRST_PID = 40_000
_NAMESPACE = uuid.UUID("6f3a5e0c-52a1-4be4-9d5b-0f6f1c2a7d11")


@dataclass(frozen=True, slots=True)
class Load:
    """What the simulated GPUs are asked to do."""

    requests_running: float = 0.0
    tokens_per_second: float = 0.0
    model_loaded: bool = False


IDLE = Load()


@dataclass(frozen=True, slots=True)
class Override:
    """Values set from outside; None leaves the simulation its own."""

    temperature_celsius: float | None = None
    utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    power_watts: float | None = None
    state: GpuState | None = None
    ecc_uncorrected: int | None = None
    throttle: tuple[str, ...] | None = None
    remap_pending: bool | None = None
    remap_failure: bool | None = None
    sram_worn: bool | None = None
    recovery_action: int | None = None
    nvlink_down: tuple[int, ...] | None = None
    nvlink_errors_per_second: float | None = None
    pcie_lanes: int | None = None
    pcie_replays_per_second: float | None = None
    unsupported: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What this GPU shows at one instant."""

    index: int
    uuid: str
    state: GpuState
    temperature_celsius: float
    memory_temperature_celsius: float
    utilization_ratio: float
    memory_utilization_ratio: float
    memory_used_bytes: int
    power_watts: float
    energy_joules: float
    ecc_uncorrected: int
    """Uncorrected ECC errors since the driver was loaded."""
    throttle: tuple[str, ...]
    """Reasons that hold the clocks down, of `THROTTLE_REASONS`."""
    remap_pending: bool
    remap_failure: bool
    sram_worn: bool
    """Whether on-chip memory had more errors over the card's life than NVIDIA accepts."""
    recovery_action: int
    """As NVML codes it: 0 nothing, 1 a reset of the GPU, 2 a restart of the host; 3 to 7 are rarer."""
    nvlink_down: tuple[int, ...]
    """Links that are inactive, by index."""
    pcie_lanes: int
    """Lanes in use."""
    unsupported: tuple[str, ...]
    """NVML functions that this card answers with NOT_SUPPORTED, beside those of its profile."""
    clock_megahertz: tuple[int, int, int, int]
    """Graphics, multiprocessors, memory, video."""
    processes: tuple[tuple[int, str, int], ...]
    """Pid, program and bytes of device memory of each process."""
    counts: Counts


def uuid_of(index: int, seed: int = 0) -> str:
    """UUID of a simulated GPU: the same at every start."""
    return f"GPU-{uuid.uuid5(_NAMESPACE, f'{seed}/{index}')}"


class SimulatedGpu:
    """A card whose sensors follow the load, with values and faults that can be set on top.

    Args:
        seed: GPUs of the same seed and index are the same, to the last digit.
    """

    def __init__(self, profile: Profile, index: int, seed: int) -> None:
        self.index = index
        self.uuid = uuid_of(index, seed)
        self.override = Override()
        self._profile = profile
        self._random = Random(f"{seed}/{index}")  # noqa: S311 - sensor noise, not a secret
        self._share = self._random.uniform(0.94, 1.0)
        self._utilization = 0.0
        self._memory_used = 0
        self._power = profile.idle_watts
        self._temperature = profile.coolant_celsius + profile.idle_watts * profile.celsius_per_watt
        self._energy = 0.0
        self._counts = Counts()

    def step(self, load: Load) -> None:
        """Move one step on under this load."""
        self._utilization = self._use(load)
        self._memory_used = self._held(load)
        span = self._profile.busy_watts - self._profile.idle_watts
        drawn = self._profile.idle_watts + span * self._utilization + self._random.gauss(0, 1.5)
        self._power += (drawn - self._power) * _settled(_POWER_SETTLES_SECONDS)
        settled = self._profile.coolant_celsius + self._shown_power() * self._profile.celsius_per_watt
        self._temperature += (settled - self._temperature) * _settled(_HEAT_SETTLES_SECONDS)
        self._energy += self._shown_power() * STEP_SECONDS
        counts = after(self._counts, self._profile, self._shown_use(), self._reasons(), STEP_SECONDS)
        self._counts = erring(
            counts,
            nvlink=(self.override.nvlink_errors_per_second or 0.0) * STEP_SECONDS,
            pcie=(self.override.pcie_replays_per_second or 0.0) * STEP_SECONDS,
        )

    def observe(self) -> Observation:
        """What the sensors show now, values set from outside included."""
        override = self.override
        use = self._shown_use()
        temperature = self._shown_temperature()
        memory_used = self._memory_used if override.memory_used_bytes is None else override.memory_used_bytes
        return Observation(
            index=self.index,
            uuid=self.uuid,
            state=override.state or "ok",
            temperature_celsius=temperature,
            memory_temperature_celsius=temperature + self._profile.memory_rise_celsius * use,
            utilization_ratio=use,
            memory_utilization_ratio=0.7 * use,
            memory_used_bytes=memory_used,
            power_watts=self._shown_power(),
            energy_joules=self._energy,
            ecc_uncorrected=override.ecc_uncorrected or 0,
            throttle=self._reasons(),
            remap_pending=bool(override.remap_pending),
            remap_failure=bool(override.remap_failure),
            sram_worn=bool(override.sram_worn),
            recovery_action=self._recovery_action(),
            nvlink_down=override.nvlink_down or (),
            pcie_lanes=override.pcie_lanes or self._profile.pcie_lanes,
            unsupported=override.unsupported or (),
            clock_megahertz=self._clocks(use),
            processes=self._processes(memory_used),
            counts=self._counts,
        )

    def _use(self, load: Load) -> float:
        """More requests and more tokens: nearer to full use, never beyond."""
        batch = 1 - math.exp(-load.requests_running / 3)
        tokens = 1 - math.exp(-load.tokens_per_second / 300)
        busy = max(batch, tokens)
        if busy == 0:
            return 0.0
        return min(1.0, max(0.0, busy * self._share + self._random.gauss(0, 0.01)))

    def _held(self, load: Load) -> int:
        """A loaded model takes half of the memory, each running request one percent more."""
        usable = self._profile.memory_total_bytes - self._profile.memory_reserved_bytes
        return int(usable * min(0.92, 0.5 + 0.01 * load.requests_running)) if load.model_loaded else 0

    def _processes(self, memory_used: int) -> tuple[tuple[int, str, int], ...]:
        """The inference service; memory that is set from outside beyond its own belongs to nobody."""
        held = min(self._memory_used, memory_used)
        return ((_FIRST_PID + self.index, "/usr/bin/python3", held),) if held else ()

    def _reasons(self) -> tuple[str, ...]:
        """Why the clocks are held down: what was set, else what the sensors would make the driver say."""
        if self.override.throttle is not None:
            return self.override.throttle
        beyond = self._shown_temperature() - self._profile.operating_limit_celsius
        found = {
            "gpu_idle": self._shown_use() == 0,
            "sw_power_cap": self._shown_power() >= 0.99 * self._profile.power_limit_watts,
            "sw_thermal": beyond >= 0,
            "hw_slowdown": beyond >= -self._profile.slowdown_offset_celsius,
            "hw_thermal": beyond >= -self._profile.slowdown_offset_celsius,
        }
        return tuple(reason for reason in THROTTLE_REASONS if found.get(reason))

    def _recovery_action(self) -> int:
        """What was set, else what the driver would want: a reset after errors that it could not correct."""
        override = self.override
        if override.recovery_action is not None:
            return override.recovery_action
        return int(bool(override.ecc_uncorrected or override.remap_pending or override.remap_failure))

    def _clocks(self, use: float) -> tuple[int, int, int, int]:
        graphics, sm, memory, video = self._profile.max_clock_megahertz
        if use == 0:
            return (self._profile.idle_clock_megahertz, self._profile.idle_clock_megahertz, memory, video)
        reasons = set(self._reasons())
        slowed = 0.5 if "hw_slowdown" in reasons else 0.8 if reasons else 1.0
        return (round(graphics * slowed), round(sm * slowed), memory, video)

    def _shown_use(self) -> float:
        return _either(self.override.utilization_ratio, self._utilization)

    def _shown_temperature(self) -> float:
        return _either(self.override.temperature_celsius, self._temperature)

    def _shown_power(self) -> float:
        return _either(self.override.power_watts, self._power)


def _settled(seconds: float) -> float:
    """Share of the way to its end value that a first-order lag covers in one step."""
    return 1 - math.exp(-STEP_SECONDS / seconds)


def _either(override: float | None, own: float) -> float:
    return own if override is None else override
