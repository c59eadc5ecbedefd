"""One simulated GPU: how load becomes use, use becomes power, and power becomes heat.

Moves in steps of one second, so that what it shows does not depend on how often it is asked.
"""

import math
import uuid
from dataclasses import dataclass
from random import Random
from typing import Literal

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
    nvlink_down: tuple[int, ...] | None = None
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
    throttle: tuple[str, ...] | None
    """Reasons that hold the clocks down, of `THROTTLE_REASONS`; None leaves them to follow from the sensors."""
    remap_pending: bool
    remap_failure: bool
    nvlink_down: tuple[int, ...]
    """Links that are inactive, by index."""
    unsupported: tuple[str, ...]
    """NVML functions that this card answers with NOT_SUPPORTED, beside those of its profile."""


class SimulatedGpu:
    """A card whose sensors follow the load, with values and faults that can be set on top.

    Args:
        seed: GPUs of the same seed and index are the same, to the last digit.
    """

    def __init__(self, profile: Profile, index: int, seed: int) -> None:
        self.index = index
        self.uuid = f"GPU-{uuid.uuid5(_NAMESPACE, f'{seed}/{index}')}"
        self.override = Override()
        self._profile = profile
        self._random = Random(f"{seed}/{index}")  # noqa: S311 - sensor noise, not a secret
        self._share = self._random.uniform(0.94, 1.0)
        self._utilization = 0.0
        self._memory_used = 0
        self._power = profile.idle_watts
        self._temperature = profile.coolant_celsius + profile.idle_watts * profile.celsius_per_watt
        self._energy = 0.0

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

    def observe(self) -> Observation:
        """What the sensors show now, values set from outside included."""
        override = self.override
        use = _either(override.utilization_ratio, self._utilization)
        temperature = _either(override.temperature_celsius, self._temperature)
        return Observation(
            index=self.index,
            uuid=self.uuid,
            state=override.state or "ok",
            temperature_celsius=temperature,
            memory_temperature_celsius=temperature + self._profile.memory_rise_celsius * use,
            utilization_ratio=use,
            memory_utilization_ratio=0.7 * use,
            memory_used_bytes=self._memory_used if override.memory_used_bytes is None else override.memory_used_bytes,
            power_watts=self._shown_power(),
            energy_joules=self._energy,
            ecc_uncorrected=override.ecc_uncorrected or 0,
            throttle=override.throttle,
            remap_pending=bool(override.remap_pending),
            remap_failure=bool(override.remap_failure),
            nvlink_down=override.nvlink_down or (),
            unsupported=override.unsupported or (),
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

    def _shown_power(self) -> float:
        return _either(self.override.power_watts, self._power)


def _settled(seconds: float) -> float:
    """Share of the way to its end value that a first-order lag covers in one step."""
    return 1 - math.exp(-STEP_SECONDS / seconds)


def _either(override: float | None, own: float) -> float:
    return own if override is None else override
