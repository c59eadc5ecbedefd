"""NVLink: which links are up, what they carried, and their errors."""

from dataclasses import dataclass, field

from exporters.gpu.devices.asking import Gpu, first
from exporters.gpu.devices.codes import ALL_LINKS, Field

MOST_LINKS = 18
"""Links of a Hopper or Blackwell GPU. A link that a card lacks is asked for once."""

_PER_LINK = {
    "replay": Field.NVLINK_ERROR_DL_REPLAY,
    "recovery": Field.NVLINK_ERROR_DL_RECOVERY,
    "crc": Field.NVLINK_ERROR_DL_CRC,
}
_PER_GPU = {
    "receive": Field.NVLINK_COUNT_RCV_ERRORS,
    "recovery": Field.NVLINK_COUNT_LINK_RECOVERY_EVENTS,
    "effective": Field.NVLINK_COUNT_EFFECTIVE_ERRORS,
}
"""The counters of NVLink 5, which sum over the links."""

FIELDS = (
    *((Field.NVLINK_GET_STATE, link) for link in range(MOST_LINKS)),
    *((one, link) for one in _PER_LINK.values() for link in range(MOST_LINKS)),
    (Field.NVLINK_THROUGHPUT_DATA_TX, ALL_LINKS),
    (Field.NVLINK_THROUGHPUT_DATA_RX, ALL_LINKS),
    (Field.NVLINK_COUNT_XMIT_BYTES, ALL_LINKS),
    (Field.NVLINK_COUNT_RCV_BYTES, ALL_LINKS),
    *((one, ALL_LINKS) for one in _PER_GPU.values()),
)
_KIB = 1024


@dataclass(frozen=True, slots=True)
class NvLink:
    """The links of one GPU; empty where it has none."""

    up: dict[int, bool] = field(default_factory=dict)
    """By link."""
    transmitted_bytes: float | None = None
    """All links together, without protocol overhead, since the driver was loaded; as the next."""
    received_bytes: float | None = None
    errors: dict[str, float] = field(default_factory=dict)
    """All links together, by kind: replay, recovery, crc (to NVLink 4), receive, recovery, effective (NVLink 5)."""
    link_errors: dict[tuple[int, str], float] = field(default_factory=dict)
    """By link and kind, to NVLink 4."""


def read(gpu: Gpu) -> NvLink:
    """Field values; `nvidia-smi nvlink --status`, `--errorcounters`."""
    states = {link: gpu.field(Field.NVLINK_GET_STATE, link) for link in range(MOST_LINKS)}
    by_link = _link_errors(gpu)
    return NvLink(
        up={link: state != 0 for link, state in states.items() if state is not None},
        transmitted_bytes=_bytes(gpu, Field.NVLINK_THROUGHPUT_DATA_TX, Field.NVLINK_COUNT_XMIT_BYTES),
        received_bytes=_bytes(gpu, Field.NVLINK_THROUGHPUT_DATA_RX, Field.NVLINK_COUNT_RCV_BYTES),
        errors=_sums(by_link) or _values(gpu),
        link_errors=by_link,
    )


def _link_errors(gpu: Gpu) -> dict[tuple[int, str], float]:
    found = {(link, kind): gpu.field(one, link) for kind, one in _PER_LINK.items() for link in range(MOST_LINKS)}
    return {key: count for key, count in found.items() if count is not None}


def _sums(by_link: dict[tuple[int, str], float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for (_, kind), count in by_link.items():
        sums[kind] = sums.get(kind, 0.0) + count
    return sums


def _values(gpu: Gpu) -> dict[str, float]:
    found = {kind: gpu.field(one, ALL_LINKS) for kind, one in _PER_GPU.items()}
    return {kind: count for kind, count in found.items() if count is not None}


def _bytes(gpu: Gpu, kibibytes: Field, plain: Field) -> float | None:
    counted = gpu.field(kibibytes, ALL_LINKS)
    return first(lambda: None if counted is None else counted * _KIB, lambda: gpu.wide_field(plain, ALL_LINKS))
