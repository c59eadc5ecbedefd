"""Adapters from native metrics to canonical signals: one file per engine or GPU source, listed here."""

from alerts.engines import inferwatch, own_gpu

ENGINES = (inferwatch.ADAPTER,)
"""Inference engines; each is selected by the target label `engine`."""
GPU_SOURCES = (own_gpu.ADAPTER,)
"""Exporters of GPU readings."""
