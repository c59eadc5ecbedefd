"""Metrics of the GPU exporter about what wears out, breaks or holds a GPU back.

As in gpu.py: a sample is absent where the card does not report the value. What is counted "since the driver was
loaded" starts again at 0 with the driver or after a reset; a lifetime is kept on the card.
"""

from exporters.catalogue.labels import CAUSE, GPU_LABELS, KIND, LEVEL, LINK, LOCATION, REASON, STATE
from exporters.catalogue.metric import Metric, MetricType


def _metric(name: str, kind: MetricType, meaning: str, source: str, *labels: str) -> Metric:
    return Metric(name, kind, meaning, (*GPU_LABELS, *labels), source)


CLOCK_EVENT = _metric(
    "gpu_clock_event_active",
    "gauge",
    "Whether this reason holds the clocks down (1) or not (0); hw_slowdown goes with hw_thermal and hw_power_brake.",
    "nvmlDeviceGetCurrentClocksEventReasons, formerly nvmlDeviceGetCurrentClocksThrottleReasons",
    REASON,
)
THROTTLED = _metric(
    "gpu_throttled_seconds_total",
    "counter",
    "Time in which this reason held the clocks down, since the driver was loaded.",
    "nvmlDeviceGetFieldValues 74, 76, 77, 79, 269 to 271",
    REASON,
)

ECC_ENABLED = _metric(
    "gpu_ecc_enabled", "gauge", "Whether ECC is on (1) or not (0).", "nvmlDeviceGetFieldValues NVML_FI_DEV_ECC_CURRENT"
)
ECC_CORRECTED = _metric(
    "gpu_ecc_corrected_errors_total",
    "counter",
    "Memory errors that ECC corrected, since the driver was loaded.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_ECC_SBE_VOL_TOTAL, formerly nvmlDeviceGetTotalEccErrors",
)
ECC_UNCORRECTED = _metric(
    "gpu_ecc_uncorrected_errors_total",
    "counter",
    "Memory errors that ECC could not correct, since the driver was loaded; their data was lost.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_ECC_DBE_VOL_TOTAL, formerly nvmlDeviceGetTotalEccErrors",
)
ECC_LIFETIME_CORRECTED = _metric(
    "gpu_ecc_lifetime_corrected_errors_total",
    "counter",
    "Memory errors that ECC corrected, over the card's life.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_ECC_SBE_AGG_TOTAL, formerly nvmlDeviceGetTotalEccErrors",
)
ECC_LIFETIME_UNCORRECTED = _metric(
    "gpu_ecc_lifetime_uncorrected_errors_total",
    "counter",
    "Memory errors that ECC could not correct, over the card's life.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_ECC_DBE_AGG_TOTAL, formerly nvmlDeviceGetTotalEccErrors",
)
ECC_SRAM_CORRECTED = _metric(
    "gpu_ecc_sram_corrected_errors_total",
    "counter",
    "Errors of on-chip memory that were corrected, since the driver was loaded.",
    "nvmlDeviceGetSramEccErrorStatus",
)
ECC_SRAM_UNCORRECTED = _metric(
    "gpu_ecc_sram_uncorrected_errors_total",
    "counter",
    "Errors of on-chip memory that could not be corrected, since the driver was loaded.",
    "nvmlDeviceGetSramEccErrorStatus",
)
ECC_SRAM_LIFETIME_UNCORRECTED = _metric(
    "gpu_ecc_sram_lifetime_uncorrected_errors_total",
    "counter",
    "Errors of on-chip memory that could not be corrected, over the card's life, by where they were.",
    "nvmlDeviceGetSramEccErrorStatus",
    LOCATION,
)
ECC_SRAM_THRESHOLD = _metric(
    "gpu_ecc_sram_threshold_exceeded",
    "gauge",
    "Whether on-chip memory had so many uncorrected errors that the card is to be replaced (1) or not (0).",
    "nvmlDeviceGetSramEccErrorStatus",
)

RETIRED_PAGES = _metric(
    "gpu_retired_pages_total",
    "counter",
    "Pages of device memory taken out of use over the card's life; only on cards that do not remap rows.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_RETIRED_SBE, _DBE",
    CAUSE,
)
RETIREMENT_PENDING = _metric(
    "gpu_page_retirement_pending",
    "gauge",
    "Whether pages wait for a reset to be taken out of use (1) or not (0).",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_RETIRED_PENDING",
)
REMAPPED_ROWS = _metric(
    "gpu_remapped_rows_total",
    "counter",
    "Rows of device memory replaced by spare ones over the card's life, for corrected or uncorrected errors; "
    "absent while MIG instances exist.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_REMAPPED_COR, _UNC, formerly nvmlDeviceGetRemappedRows",
    CAUSE,
)
REMAP_PENDING = _metric(
    "gpu_row_remap_pending",
    "gauge",
    "Whether a row waits for a reset to be replaced (1) or not (0).",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_REMAPPED_PENDING",
)
REMAP_FAILED = _metric(
    "gpu_row_remap_failed",
    "gauge",
    "Whether a row could not be replaced (1) or not (0): the card is to be replaced.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_REMAPPED_FAILURE",
)
REMAP_BANKS = _metric(
    "gpu_row_remap_banks",
    "gauge",
    "Banks of device memory by how many spare rows they have left; off by default.",
    "nvmlDeviceGetRowRemapperHistogram",
    LEVEL,
)
RECOVERY_ACTION = _metric(
    "gpu_recovery_action",
    "gauge",
    "What the driver wants done: 0 nothing, 1 GPU reset, 2 node reboot, 3 drain peers, 4 drain and reset, "
    "5 recover the IMEX domain, 6 bus reset, 7 system reboot.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_GET_GPU_RECOVERY_ACTION",
)

NVLINK_UP = _metric(
    "gpu_nvlink_up",
    "gauge",
    "Whether this NVLink is active (1) or not (0).",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_NVLINK_GET_STATE",
    LINK,
)
NVLINK_ERRORS = _metric(
    "gpu_nvlink_errors_total",
    "counter",
    "Errors of all NVLinks together since the driver was loaded: replay, recovery, crc to NVLink 4; receive, recovery, "
    "effective on NVLink 5.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_NVLINK_ERROR_DL_*, NVML_FI_DEV_NVLINK_COUNT_*",
    KIND,
)
NVLINK_LINK_ERRORS = _metric(
    "gpu_nvlink_link_errors_total",
    "counter",
    "Errors of one NVLink since the driver was loaded, to NVLink 4; off by default.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_NVLINK_ERROR_DL_*",
    LINK,
    KIND,
)
PCIE_GENERATION = _metric(
    "gpu_pcie_link_generation",
    "gauge",
    "PCIe generation that the link runs at; an idle GPU may lower it; up to 30 s old.",
    "nvmlDeviceGetCurrPcieLinkGeneration",
)
PCIE_GENERATION_MAX = _metric(
    "gpu_pcie_link_generation_max",
    "gauge",
    "PCIe generation that this card can run at in this slot.",
    "nvmlDeviceGetMaxPcieLinkGeneration",
)
PCIE_LANES = _metric(
    "gpu_pcie_link_lanes", "gauge", "PCIe lanes that the link uses now.", "nvmlDeviceGetCurrPcieLinkWidth"
)
PCIE_LANES_MAX = _metric(
    "gpu_pcie_link_lanes_max",
    "gauge",
    "PCIe lanes that this card can use in this slot.",
    "nvmlDeviceGetMaxPcieLinkWidth",
)
PCIE_REPLAYS = _metric(
    "gpu_pcie_replays_total",
    "counter",
    "Packets that were sent again over PCIe, since the driver was loaded.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_PCIE_REPLAY_COUNTER, formerly nvmlDeviceGetPcieReplayCounter",
)
PCIE_ERRORS = _metric(
    "gpu_pcie_errors_total",
    "counter",
    "PCIe errors since the driver was loaded: correctable, non_fatal, fatal, receiver, bad_tlp, bad_dllp, recovery.",
    "nvmlDeviceGetFieldValues NVML_FI_DEV_PCIE_COUNT_*, NVML_FI_DEV_PCIE_L0_TO_RECOVERY_COUNTER",
    KIND,
)
FABRIC_STATE = _metric(
    "gpu_fabric_state",
    "gauge",
    "Which state registration with the NVLink fabric is in (1) and is not (0): not_started, in_progress, completed; "
    "up to 30 s old.",
    "nvmlDeviceGetGpuFabricInfoV",
    STATE,
)
FABRIC_ERROR_CODE = _metric(
    "gpu_fabric_error_code",
    "gauge",
    "NVML's code with which registration with the NVLink fabric was completed, 0 for success; absent before; "
    "up to 30 s old.",
    "nvmlDeviceGetGpuFabricInfoV",
)
FABRIC_COMPLAINT = _metric(
    "gpu_fabric_complaint",
    "gauge",
    "Whether the driver says this of the GPU's NVLink fabric (1) or not (0): degraded_bandwidth, route_recovery, "
    "route_unhealthy, access_timeout_recovery; up to 30 s old.",
    "nvmlDeviceGetGpuFabricInfoV",
    KIND,
)

METRICS = (
    CLOCK_EVENT,
    THROTTLED,
    ECC_ENABLED,
    ECC_CORRECTED,
    ECC_UNCORRECTED,
    ECC_LIFETIME_CORRECTED,
    ECC_LIFETIME_UNCORRECTED,
    ECC_SRAM_CORRECTED,
    ECC_SRAM_UNCORRECTED,
    ECC_SRAM_LIFETIME_UNCORRECTED,
    ECC_SRAM_THRESHOLD,
    RETIRED_PAGES,
    RETIREMENT_PENDING,
    REMAPPED_ROWS,
    REMAP_PENDING,
    REMAP_FAILED,
    REMAP_BANKS,
    RECOVERY_ACTION,
    NVLINK_UP,
    NVLINK_ERRORS,
    NVLINK_LINK_ERRORS,
    PCIE_GENERATION,
    PCIE_GENERATION_MAX,
    PCIE_LANES,
    PCIE_LANES_MAX,
    PCIE_REPLAYS,
    PCIE_ERRORS,
    FABRIC_STATE,
    FABRIC_ERROR_CODE,
    FABRIC_COMPLAINT,
)
