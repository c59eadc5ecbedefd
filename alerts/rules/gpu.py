"""Is each GPU well?"""

from alerts import signals
from alerts.engines import GPU_SOURCES
from alerts.objectives import Objectives
from alerts.rules.rule import Alert, Group
from alerts.timing import Timing, duration

MARGIN_CELSIUS = 0
"""NVIDIA defines the margin as the distance to the hardware slowdown, so at 0 the GPU slows itself down."""


def group(timing: Timing, objectives: Objectives) -> Group:
    """Signals of all GPU sources, then their alerts."""
    recordings = tuple(recording for adapter in GPU_SOURCES for recording in adapter.recordings(timing))
    return Group("gpu", recordings, (_overheating(timing),))


def _overheating(timing: Timing) -> Alert:
    bridge = duration(timing.window(15))  # one missed scrape must not reset `for`
    return Alert(
        name="GpuOverheating",
        expr=f"last_over_time({signals.GPU_TEMPERATURE_MARGIN.over(bridge)}) <= {MARGIN_CELSIUS}",
        severity="page",
        cls="root",
        component="gpu",
        summary="GPU overheating: GPU {{ $labels.gpu }} on {{ $labels.host }}",
        impact="The hardware slows this GPU down, so every request on it gets slower; hotter still, it turns off.",
        action="Drain GPU {{ $labels.gpu }} on {{ $labels.host }}, then look at fans, air inlet and room temperature.",
        description="GPU {{ $labels.gpu }} ({{ $labels.uuid }}) on {{ $labels.host }} has reached the temperature at "
        "which its hardware slows it down.",
        value="{{ $value | humanize }} °C of margin left",
        threshold=f"above {MARGIN_CELSIUS} °C",
        board="d/fleet/fleet?var-cluster={{ $labels.cluster | urlquery }}&var-host={{ $labels.host | urlquery }}",
        pending=15,
        keep_firing=60,
        hard=True,
        delay=timing.gpu_collection_interval,
    )
