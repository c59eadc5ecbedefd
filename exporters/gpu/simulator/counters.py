"""What a simulated GPU counts since its driver was loaded: time held down, bytes moved, time busy."""

from dataclasses import dataclass, field, replace

from exporters.gpu.simulator.profiles import Profile

_PCIE_BYTES_PER_SECOND = 2.0e9
"""Each way at full use; a guess for inference, which moves tokens and no weights."""
_NVLINK_BYTES_PER_SECOND = 40.0e9
"""Each way at full use, where there are links; a guess for a tensor-parallel model."""
_ACTIVITY = {"graphics": 1.0, "sm": 0.9, "sm_occupancy": 0.35, "tensor": 0.25, "dram": 0.7}
"""What each part does while a kernel runs; a guess for decoding, which memory bounds."""


def activity(use: float) -> dict[str, float]:
    """Ratio of time or capacity that each part of the GPU is used, at this utilization."""
    return {part: share * use for part, share in _ACTIVITY.items()}


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters at one instant."""

    seconds: float = 0.0
    """Since the driver was loaded."""
    throttled_seconds: dict[str, float] = field(default_factory=dict)
    """By reason."""
    busy_seconds: dict[str, float] = field(default_factory=dict)
    """By part of the GPU, weighted with how much of it was used."""
    pcie_bytes: float = 0.0
    """Each way."""
    nvlink_bytes: float = 0.0
    """Each way, all links together."""
    nvlink_errors: float = 0.0
    """Packets that the first link sent again."""
    pcie_replays: float = 0.0
    """Packets that were sent again."""


def after(counts: Counts, profile: Profile, use: float, reasons: tuple[str, ...], seconds: float) -> Counts:
    """The counters after some time at this utilization, held down for these reasons, with links that are whole."""
    busy = activity(use)
    return replace(
        counts,
        seconds=counts.seconds + seconds,
        throttled_seconds=counts.throttled_seconds
        | {one: counts.throttled_seconds.get(one, 0.0) + seconds for one in reasons},
        busy_seconds={part: counts.busy_seconds.get(part, 0.0) + share * seconds for part, share in busy.items()},
        pcie_bytes=counts.pcie_bytes + _PCIE_BYTES_PER_SECOND * use * seconds,
        nvlink_bytes=counts.nvlink_bytes + (_NVLINK_BYTES_PER_SECOND * use * seconds if profile.nvlinks else 0.0),
    )


def erring(counts: Counts, *, nvlink: float, pcie: float) -> Counts:
    """The counters with so many packets more that links had to send again."""
    return replace(counts, nvlink_errors=counts.nvlink_errors + nvlink, pcie_replays=counts.pcie_replays + pcie)
