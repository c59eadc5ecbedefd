"""Fixed-function engines for video and images."""

from dataclasses import dataclass

from exporters.gpu.devices.asking import Gpu


@dataclass(frozen=True, slots=True)
class Media:
    """Shares of time in which each engine worked, 0 to 1."""

    encoder_ratio: float | None = None
    decoder_ratio: float | None = None
    jpeg_ratio: float | None = None
    ofa_ratio: float | None = None
    """The optical flow accelerator."""


def read(gpu: Gpu) -> Media:
    """By nvmlDeviceGetEncoderUtilization and its kin; `nvidia-smi --query-gpu=utilization.encoder`."""
    return Media(*(_ratio(gpu, engine) for engine in ("Encoder", "Decoder", "Jpg", "Ofa")))


def _ratio(gpu: Gpu, engine: str) -> float | None:
    found = gpu.ask(f"nvmlDeviceGet{engine}Utilization")
    return None if found is None else found[0] / 100
