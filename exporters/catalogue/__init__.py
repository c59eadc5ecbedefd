"""THE SHARED FACTS: every metric's name, type, unit, help, labels and source, once. Imports nothing of ours."""

from exporters.catalogue import deadman, gpu, gpu_health, gpu_use, llm, probe
from exporters.catalogue.metric import Metric

ALL_METRICS: tuple[Metric, ...] = (
    *gpu.METRICS,
    *gpu_health.METRICS,
    *gpu_use.METRICS,
    *llm.METRICS,
    *probe.METRICS,
    *deadman.METRICS,
)
"""Every metric that a part of ours exposes."""

BY_NAME = {metric.name: metric for metric in ALL_METRICS}
if len(BY_NAME) != len(ALL_METRICS):
    raise ValueError("a metric name stands in the catalogue twice")
