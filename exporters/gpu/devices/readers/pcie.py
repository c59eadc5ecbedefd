"""The PCIe link: what it is, what it carried, and its errors."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu, first
from exporters.gpu.devices.codes import Field

_ERRORS = {
    "correctable": Field.PCIE_COUNT_CORRECTABLE_ERRORS,
    "non_fatal": Field.PCIE_COUNT_NON_FATAL_ERROR,
    "fatal": Field.PCIE_COUNT_FATAL_ERROR,
    "receiver": Field.PCIE_COUNT_RECEIVER_ERROR,
    "bad_tlp": Field.PCIE_COUNT_BAD_TLP,
    "bad_dllp": Field.PCIE_COUNT_BAD_DLLP,
    "recovery": Field.PCIE_L0_TO_RECOVERY_COUNTER,
}
FIELDS = (
    (Field.PCIE_REPLAY_COUNTER, 0),
    (Field.PCIE_COUNT_TX_BYTES, 0),
    (Field.PCIE_COUNT_RX_BYTES, 0),
    *((one, 0) for one in _ERRORS.values()),
)


@dataclass(frozen=True, slots=True)
class Pcie:
    """The link between GPU and host. An idle GPU lowers its generation, not its width."""

    generation: int | None = None
    max_generation: int | None = None
    """Of this card in this slot, as the next."""
    width_lanes: int | None = None
    max_width_lanes: int | None = None
    transmitted_bytes: float | None = None
    """From the GPU to the host; absent where the driver counts in 32 bits."""
    received_bytes: float | None = None
    replays: float | None = None
    errors: dict[str, float] = field(default_factory=dict)
    """By kind: correctable, non_fatal, fatal, receiver, bad_tlp, bad_dllp, recovery (retraining of the link)."""


def read(gpu: Gpu) -> Pcie:
    """Field values, nvmlDeviceGetCurrPcieLinkWidth and its kin; `nvidia-smi -q -x`, element pci.

    Never nvmlDeviceGetPcieThroughput, which measures for 20 ms in each direction while the caller waits.
    """
    errors = {kind: gpu.field(one) for kind, one in _ERRORS.items()}
    return Pcie(
        generation=gpu.ask_seldom("nvmlDeviceGetCurrPcieLinkGeneration"),
        max_generation=gpu.ask_once("nvmlDeviceGetMaxPcieLinkGeneration"),
        width_lanes=gpu.ask("nvmlDeviceGetCurrPcieLinkWidth"),
        max_width_lanes=gpu.ask_once("nvmlDeviceGetMaxPcieLinkWidth"),
        transmitted_bytes=gpu.wide_field(Field.PCIE_COUNT_TX_BYTES),
        received_bytes=gpu.wide_field(Field.PCIE_COUNT_RX_BYTES),
        replays=first(lambda: gpu.field(Field.PCIE_REPLAY_COUNTER), lambda: gpu.ask("nvmlDeviceGetPcieReplayCounter")),
        errors={kind: count for kind, count in errors.items() if count is not None},
    )
