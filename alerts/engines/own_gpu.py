"""Our own GPU exporter (python -m exporters.gpu) as a source of the gpu:* signals."""

from alerts import signals
from alerts.engines.adapter import Adapter, record
from alerts.rules.rule import Recording
from alerts.timing import Timing, duration
from exporters.catalogue import gpu, gpu_health, gpu_use

EVENT_SECONDS = 600
"""How long a past event (an XID, an uncorrectable error) counts: long enough that a page for it is read while it is
still firing, short enough that a GPU that was reset resolves it within the same incident."""
SHARE_SECONDS = 120
"""Over this long a share of time is taken: a thermostat that swings every few seconds must not flicker."""


def _recordings(timing: Timing) -> tuple[Recording, ...]:
    events, share, errors = (duration(timing.window(each)) for each in (EVENT_SECONDS, SHARE_SECONDS, 300))
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
        record(signals.GPU_LAST_ERROR, str(gpu.LAST_ERROR_CODE)),
        record(signals.GPU_XID_LAST_SEEN, str(gpu.XID_LAST_SEEN)),
        record(signals.GPU_ECC_UNCORRECTED, f"increase({gpu_health.ECC_UNCORRECTED.over(events)})"),
        record(signals.GPU_RECOVERY_ACTION, str(gpu_health.RECOVERY_ACTION)),
        record(signals.GPU_ROW_REMAP_FAILED, str(gpu_health.REMAP_FAILED)),
        record(signals.GPU_RETIREMENT_PENDING, pending),
        record(signals.GPU_SRAM_THRESHOLD_EXCEEDED, str(gpu_health.ECC_SRAM_THRESHOLD)),
        record(signals.GPU_THROTTLED, f"rate({gpu_health.THROTTLED.over(share)})"),
        record(signals.GPU_MEMORY_ORPHANED, str(gpu_use.ORPHANED_MEMORY)),
        record(signals.GPU_NVLINK_UP, str(gpu_health.NVLINK_UP)),
        record(signals.GPU_NVLINK_ERRORS, f"sum without (kind) (rate({gpu_health.NVLINK_ERRORS.over(errors)}))"),
        record(signals.GPU_PCIE_LANES, f"{gpu_health.PCIE_LANES} / {gpu_health.PCIE_LANES_MAX}"),
        record(signals.GPU_PCIE_REPLAYS, f"rate({gpu_health.PCIE_REPLAYS.over(errors)})"),
    )


ADAPTER = Adapter("own", _recordings)
