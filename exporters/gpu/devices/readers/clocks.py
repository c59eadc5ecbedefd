"""Clock rates, now and at most, and the performance state."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu

DOMAINS = {"graphics": 0, "sm": 1, "memory": 2, "video": 3}
"""Clock domains by name, with NVML's number."""
_STEADY = frozenset({"memory", "video"})
"""Domains whose clock stays as it is while the performance state does."""
_UNKNOWN_STATE = 32
_HERTZ = 1_000_000


@dataclass(frozen=True, slots=True)
class Clocks:
    """Clock rates by domain (`DOMAINS`), in hertz."""

    now_hertz: dict[str, float] = field(default_factory=dict)
    max_hertz: dict[str, float] = field(default_factory=dict)
    performance_state: int | None = None
    """0 is the fastest state, 15 the slowest."""
    persistence: bool | None = None
    """Whether the driver stays loaded while nobody uses the GPU."""


def read(gpu: Gpu) -> Clocks:
    """By nvmlDeviceGetClockInfo, nvmlDeviceGetMaxClockInfo, nvmlDeviceGetPerformanceState; `nvidia-smi -q -d CLOCK`."""
    state = gpu.ask("nvmlDeviceGetPerformanceState")
    # Limits, links and the slower clocks follow the performance state.
    gpu.ask_anew_if_changed("performance state", state)
    now = {
        name: (gpu.ask_seldom if name in _STEADY else gpu.ask)("nvmlDeviceGetClockInfo", domain)
        for name, domain in DOMAINS.items()
    }
    most = {name: gpu.ask_once("nvmlDeviceGetMaxClockInfo", domain) for name, domain in DOMAINS.items()}
    persistence = gpu.ask_seldom("nvmlDeviceGetPersistenceMode")
    return Clocks(
        now_hertz=_hertz(now),
        max_hertz=_hertz(most),
        performance_state=None if state == _UNKNOWN_STATE else state,
        persistence=None if persistence is None else bool(persistence),
    )


def _hertz(megahertz: dict[str, int | None]) -> dict[str, float]:
    return {name: float(value) * _HERTZ for name, value in megahertz.items() if value is not None}
