"""Our own GPU exporter (python -m exporters.gpu) as a source of the gpu:* signals."""

from alerts import signals
from alerts.engines.adapter import Adapter, record
from alerts.rules.rule import Recording
from alerts.timing import Timing
from exporters.catalogue import gpu


def _recordings(timing: Timing) -> tuple[Recording, ...]:
    return (
        record(signals.GPU_UP, str(gpu.UP)),
        record(signals.GPU_INFO, str(gpu.INFO)),
        record(signals.GPU_UTILIZATION, str(gpu.UTILIZATION)),
        record(signals.GPU_MEMORY_USED, str(gpu.MEMORY_USED)),
        record(signals.GPU_MEMORY_TOTAL, str(gpu.MEMORY_TOTAL)),
        record(signals.GPU_TEMPERATURE, str(gpu.TEMPERATURE)),
        record(signals.GPU_TEMPERATURE_MARGIN, str(gpu.TEMPERATURE_MARGIN)),
        record(signals.GPU_POWER, str(gpu.POWER)),
    )


ADAPTER = Adapter("own", _recordings)
