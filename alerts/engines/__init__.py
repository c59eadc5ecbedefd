"""Adapters from native metrics to canonical signals: one file per engine or GPU source, listed here."""

from alerts.engines import inferwatch, own_gpu
from alerts.rule import Recording
from alerts.signals import Signal
from alerts.timing import Timing

ENGINES = (inferwatch.ADAPTER,)
"""Inference engines; each is selected by the target label `engine`."""
GPU_SOURCES = (own_gpu.ADAPTER,)
"""Exporters of GPU readings."""


def of_gpus(timing: Timing, signals: tuple[Signal, ...]) -> tuple[Recording, ...]:
    """What fills these signals from all GPU sources, in the sources' order."""
    names = {signal.name for signal in signals}
    every = (recording for adapter in GPU_SOURCES for recording in adapter.recordings(timing))
    return tuple(recording for recording in every if recording.record in names)
