"""Memory errors that ECC corrected, and those that it could not."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu, first
from exporters.gpu.devices.codes import Field

FIELDS = (
    (Field.ECC_CURRENT, 0),
    (Field.ECC_SBE_VOL_TOTAL, 0),
    (Field.ECC_DBE_VOL_TOTAL, 0),
    (Field.ECC_SBE_AGG_TOTAL, 0),
    (Field.ECC_DBE_AGG_TOTAL, 0),
    (Field.RETIRED_SBE, 0),
    (Field.RETIRED_DBE, 0),
    (Field.RETIRED_PENDING, 0),
)
_CORRECTED, _UNCORRECTED = 0, 1  # memory error types, as in nvml.h
_VOLATILE, _AGGREGATE = 0, 1  # counter types, as in nvml.h


@dataclass(frozen=True, slots=True)
class Sram:
    """Errors of the on-chip memories; only on cards with the newer counters."""

    corrected: int
    """Since the driver was loaded, as the next."""
    uncorrected: int
    lifetime_uncorrected: dict[str, int]
    """Over the card's life, by where: l2, sm, pcie, mcu, other."""
    threshold_exceeded: bool
    """Whether so many were uncorrected that the card should be replaced."""


@dataclass(frozen=True, slots=True)
class Ecc:
    """Counts of memory errors, device memory and on-chip together."""

    enabled: bool | None = None
    corrected: float | None = None
    """Since the driver was loaded or the GPU reset, as the next."""
    uncorrected: float | None = None
    lifetime_corrected: float | None = None
    """Kept on the card, as the next."""
    lifetime_uncorrected: float | None = None
    sram: Sram | None = None
    retired_pages: dict[str, float] = field(default_factory=dict)
    """By cause: `single_bit`, `double_bit`; only on cards that do not remap rows."""
    retirement_pending: bool | None = None


def read(gpu: Gpu) -> Ecc:
    """Field values, nvmlDeviceGetSramEccErrorStatus; `nvidia-smi -q -d ECC,PAGE_RETIREMENT`."""
    pages = {"single_bit": gpu.field(Field.RETIRED_SBE), "double_bit": gpu.field(Field.RETIRED_DBE)}
    return Ecc(
        enabled=_flag(gpu.field(Field.ECC_CURRENT)),
        corrected=_total(gpu, Field.ECC_SBE_VOL_TOTAL, _CORRECTED, _VOLATILE),
        uncorrected=_total(gpu, Field.ECC_DBE_VOL_TOTAL, _UNCORRECTED, _VOLATILE),
        lifetime_corrected=_total(gpu, Field.ECC_SBE_AGG_TOTAL, _CORRECTED, _AGGREGATE),
        lifetime_uncorrected=_total(gpu, Field.ECC_DBE_AGG_TOTAL, _UNCORRECTED, _AGGREGATE),
        sram=_sram(gpu),
        retired_pages={cause: count for cause, count in pages.items() if count is not None},
        retirement_pending=_flag(gpu.field(Field.RETIRED_PENDING)),
    )


def _total(gpu: Gpu, one: Field, error: int, counter: int) -> float | None:
    return first(lambda: gpu.field(one), lambda: gpu.ask("nvmlDeviceGetTotalEccErrors", error, counter))


def _sram(gpu: Gpu) -> Sram | None:
    found = gpu.fill("nvmlDeviceGetSramEccErrorStatus", "c_nvmlEccSramErrorStatus_v1_t")
    if found is None:
        return None
    return Sram(
        corrected=found.volatileCor,
        uncorrected=found.volatileUncParity + found.volatileUncSecDed,
        lifetime_uncorrected={
            "l2": found.aggregateUncBucketL2,
            "sm": found.aggregateUncBucketSm,
            "pcie": found.aggregateUncBucketPcie,
            "mcu": found.aggregateUncBucketMcu,
            "other": found.aggregateUncBucketOther,
        },
        threshold_exceeded=bool(found.bThresholdExceeded),
    )


def _flag(value: float | None) -> bool | None:
    return None if value is None else value != 0
