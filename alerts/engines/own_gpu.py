"""Our own GPU exporter (python -m exporters.gpu) as a source of the gpu:* signals."""

from alerts import signals
from alerts.engines.adapter import Adapter, record
from alerts.rule import Recording
from alerts.timing import Timing, duration
from exporters.catalogue import gpu, gpu_health, gpu_use
from exporters.catalogue.metric import Metric

EVENT_SECONDS = 600
"""How long a past event (an XID, an uncorrectable error) counts: long enough that a page for it is read while it is
still firing, short enough that a GPU that was reset resolves it within the same incident."""
SHARE_SECONDS = 120
"""Over this long a share of time is taken: a thermostat that swings every few seconds must not flicker."""
KNOWN_SECONDS = 6 * 3600
"""How long a GPU is missed that is on no page any more: a restart of the exporter, or of its host, forgets those that
are gone. Longer than a restart with firmware updates; a GPU that was taken out on purpose stops counting the same day
(nvidia_gpu_exporter's chart compares with the most of six hours too)."""
AWAY_SECONDS = 600
"""After this long without a reading, a GPU's NVLinks are counted anew: it may have another place or bridge."""

_PAGE = "cluster, host, job, instance"
"""Labels that all samples of one exporter share."""


def _recordings(timing: Timing) -> tuple[Recording, ...]:
    events, share, errors = (duration(timing.window(each)) for each in (EVENT_SECONDS, SHARE_SECONDS, 300))
    # Extrapolation goes a little beyond 1. Zeros would be a fifth of all that is recorded.
    throttled = f"clamp_max(rate({gpu_health.THROTTLED.over(share)}), 1) > 0"
    slowdown = gpu_health.CLOCK_EVENT.where(reason="hw_thermal")
    pending = f"{gpu_health.REMAP_PENDING} or {gpu_health.RETIREMENT_PENDING}"
    return (
        record(signals.GPU_UP, str(gpu.UP)),
        record(signals.GPU_INFO, str(gpu.INFO)),
        record(signals.GPU_UTILIZATION, str(gpu.UTILIZATION)),
        record(signals.GPU_MEMORY_USED, str(gpu.MEMORY_USED)),
        record(signals.GPU_MEMORY_TOTAL, str(gpu.MEMORY_TOTAL)),
        record(signals.GPU_TEMPERATURE, str(gpu.TEMPERATURE)),
        record(signals.GPU_TEMPERATURE_MARGIN, str(gpu.TEMPERATURE_MARGIN)),
        record(signals.GPU_POWER, str(gpu.POWER)),
        record(signals.GPU_PROGRAM_MEMORY, str(gpu_use.PROGRAM_MEMORY)),
        record(signals.GPU_SEEN_AT, _seen_at(timing)),
        record(signals.GPU_DRIVER_UP, str(gpu.DRIVER_UP)),
        record(signals.GPU_LAST_ERROR, _last_error()),
        record(signals.GPU_READING_AGE, _age(gpu.READING_TIMESTAMP)),
        record(signals.GPU_XID_AGE, _age(gpu.XID_LAST_SEEN)),
        record(signals.GPU_ECC_UNCORRECTED, f"increase({gpu_health.ECC_UNCORRECTED.over(events)})"),
        record(signals.GPU_RECOVERY_ACTION, str(gpu_health.RECOVERY_ACTION)),
        record(signals.GPU_ROW_REMAP_FAILED, str(gpu_health.REMAP_FAILED)),
        record(signals.GPU_RETIREMENT_PENDING, pending),
        record(signals.GPU_SRAM_THRESHOLD_EXCEEDED, str(gpu_health.ECC_SRAM_THRESHOLD)),
        record(signals.GPU_HEAT_SLOWDOWN, f"max without (reason) ({slowdown})"),
        record(signals.GPU_THROTTLED, throttled),
        record(signals.GPU_MEMORY_ORPHANED, str(gpu_use.ORPHANED_MEMORY)),
        record(signals.GPU_NVLINKS_UP, f"sum without (link) ({gpu_health.NVLINK_UP})"),
        record(signals.GPU_NVLINKS_EXPECTED, _nvlinks_expected(timing)),
        record(signals.GPU_NVLINK_ERRORS, f"sum without (kind) (rate({gpu_health.NVLINK_ERRORS.over(errors)}))"),
        record(signals.GPU_PCIE_LANES, f"{gpu_health.PCIE_LANES} / {gpu_health.PCIE_LANES_MAX}"),
        record(signals.GPU_PCIE_REPLAYS, f"rate({gpu_health.PCIE_REPLAYS.over(errors)})"),
    )


def _seen_at(timing: Timing) -> str:
    # Remembers itself: one look at its own last minute instead of six hours of every GPU at every evaluation.
    kept = signals.GPU_SEEN_AT.over(duration(timing.window(60)))
    named = gpu.UP.where(uuid__ne="")
    return f"timestamp({named})\nor\nlast_over_time({kept}) > time() - {timing.window(KNOWN_SECONDS):g}"


def _last_error() -> str:
    # The exporter keeps a GPU's last code when the GPU is back, and when the driver as a whole goes down.
    silent = f"{gpu.LAST_ERROR_CODE}\nand {gpu.UP} == 0"
    return f"{silent}\nunless on ({_PAGE}) {gpu.DRIVER_UP} == 0"


def _age(since: Metric) -> str:
    # Both times are of the host's clock: with Prometheus' own, a host that is ten minutes slow would never page.
    age = f"{gpu.COLLECTION_TIMESTAMP} - on ({_PAGE}) group_right () {since}"
    return f"floor(clamp_min({age}, 0))"  # an error between the end of a collection and its page is from the future


def _nvlinks_expected(timing: Timing) -> str:
    before = f"last_over_time({signals.GPU_NVLINKS_EXPECTED.over(duration(timing.window(AWAY_SECONDS)))})"
    return f"{before} > {signals.GPU_NVLINKS_UP}\nor\n{signals.GPU_NVLINKS_UP}"


ADAPTER = Adapter("own", _recordings)
