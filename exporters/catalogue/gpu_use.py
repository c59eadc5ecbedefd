"""Metrics of the GPU exporter about what a GPU does, for whom, and within which limits.

As in gpu.py: a sample is absent where the card does not report the value.
"""

from exporters.catalogue.labels import (
    COMPUTE_INSTANCE,
    CONTAINER,
    DOMAIN,
    FAN,
    GPU_INSTANCE,
    GPU_LABELS,
    MIG_UUID,
    ORIGIN,
    PID,
    POD,
    POD_NAMESPACE,
    PROFILE,
    PROGRAM,
    SLURM_JOB,
)
from exporters.catalogue.metric import Metric, MetricType

_FIELDS = "nvmlDeviceGetFieldValues"
_GPM = "nvmlGpmMetricsGet"
_INSTANCE = (GPU_INSTANCE, COMPUTE_INSTANCE)


def _metric(name: str, kind: MetricType, meaning: str, source: str, *labels: str) -> Metric:
    return Metric(name, kind, meaning, (*GPU_LABELS, *labels), source)


POWER_AVERAGE = _metric(
    "gpu_power_average_watts",
    "gauge",
    "Power that the board draws, averaged by the driver over about a second.",
    f"{_FIELDS} NVML_FI_DEV_POWER_AVERAGE",
)
POWER_DEFAULT_LIMIT = _metric(
    "gpu_power_default_limit_watts",
    "gauge",
    "Power limit after a restart.",
    f"{_FIELDS} NVML_FI_DEV_POWER_DEFAULT_LIMIT, formerly nvmlDeviceGetPowerManagementDefaultLimit",
)
POWER_MIN_LIMIT = _metric(
    "gpu_power_min_limit_watts",
    "gauge",
    "Lowest power limit that can be set.",
    f"{_FIELDS} NVML_FI_DEV_POWER_MIN_LIMIT, formerly nvmlDeviceGetPowerManagementLimitConstraints",
)
POWER_MAX_LIMIT = _metric(
    "gpu_power_max_limit_watts",
    "gauge",
    "Highest power limit that can be set.",
    f"{_FIELDS} NVML_FI_DEV_POWER_MAX_LIMIT, formerly nvmlDeviceGetPowerManagementLimitConstraints",
)

CLOCK = _metric(
    "gpu_clock_hertz",
    "gauge",
    "Clock rate now; of memory and video up to 30 s old.",
    "nvmlDeviceGetClockInfo",
    DOMAIN,
)
CLOCK_MAX = _metric(
    "gpu_clock_max_hertz", "gauge", "Highest clock rate of this card.", "nvmlDeviceGetMaxClockInfo", DOMAIN
)
PERFORMANCE_STATE = _metric(
    "gpu_performance_state",
    "gauge",
    "Performance state, from 0, the fastest, to 15.",
    "nvmlDeviceGetPerformanceState",
)
PERSISTENCE = _metric(
    "gpu_persistence_enabled",
    "gauge",
    "Whether the driver stays loaded while nobody uses the GPU (1) or not (0); up to 30 s old.",
    "nvmlDeviceGetPersistenceMode",
)

GRAPHICS_ACTIVITY = _metric(
    "gpu_graphics_activity_ratio",
    "gauge",
    "Share of the time since the last collection in which any work ran (0 to 1).",
    f"{_GPM} GRAPHICS_UTIL",
)
SM_ACTIVITY = _metric(
    "gpu_sm_activity_ratio",
    "gauge",
    "Share of multiprocessors that were busy since the last collection (0 to 1).",
    f"{_GPM} SM_UTIL",
)
SM_OCCUPANCY = _metric(
    "gpu_sm_occupancy_ratio",
    "gauge",
    "Share of resident warps, of those that fit, since the last collection (0 to 1).",
    f"{_GPM} SM_OCCUPANCY",
)
TENSOR_ACTIVITY = _metric(
    "gpu_tensor_activity_ratio",
    "gauge",
    "Share of the time since the last collection in which the tensor cores worked (0 to 1).",
    f"{_GPM} ANY_TENSOR_UTIL",
)
DRAM_ACTIVITY = _metric(
    "gpu_dram_activity_ratio",
    "gauge",
    "Share of the device memory's bandwidth that was used since the last collection (0 to 1).",
    f"{_GPM} DRAM_BW_UTIL",
)
PCIE_TRANSMIT_RATE = _metric(
    "gpu_pcie_transmit_bytes_per_second",
    "gauge",
    "Bytes per second from the GPU over PCIe since the last collection.",
    f"{_GPM} PCIE_TX_PER_SEC",
)
PCIE_RECEIVE_RATE = _metric(
    "gpu_pcie_receive_bytes_per_second",
    "gauge",
    "Bytes per second to the GPU over PCIe since the last collection.",
    f"{_GPM} PCIE_RX_PER_SEC",
)
PCIE_TRANSMITTED = _metric(
    "gpu_pcie_transmitted_bytes_total",
    "counter",
    "Bytes from the GPU over PCIe; absent where the driver counts in 32 bits, which wrap many times a second.",
    f"{_FIELDS} NVML_FI_DEV_PCIE_COUNT_TX_BYTES",
)
PCIE_RECEIVED = _metric(
    "gpu_pcie_received_bytes_total",
    "counter",
    "Bytes to the GPU over PCIe; absent where the driver counts in 32 bits, which wrap many times a second.",
    f"{_FIELDS} NVML_FI_DEV_PCIE_COUNT_RX_BYTES",
)
NVLINK_TRANSMITTED = _metric(
    "gpu_nvlink_transmitted_bytes_total",
    "counter",
    "Bytes from the GPU over all NVLinks, without protocol overhead.",
    f"{_FIELDS} NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, or NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES on NVLink 5",
)
NVLINK_RECEIVED = _metric(
    "gpu_nvlink_received_bytes_total",
    "counter",
    "Bytes to the GPU over all NVLinks, without protocol overhead.",
    f"{_FIELDS} NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, or NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES on NVLink 5",
)

PROCESSES = _metric(
    "gpu_processes",
    "gauge",
    "Processes that hold a context on this GPU; only those of our own container unless it shares the host's PIDs.",
    "nvmlDeviceGetComputeRunningProcesses_v3, and the same of Graphics and MPSCompute",
)
PROGRAM_MEMORY = _metric(
    "gpu_program_memory_bytes",
    "gauge",
    "Device memory held by processes of this program; programs beyond the five largest are one: other.",
    "nvmlDeviceGetComputeRunningProcesses_v3, nvmlSystemGetProcessName",
    PROGRAM,
)
ORPHANED_MEMORY = _metric(
    "gpu_memory_orphaned_bytes",
    "gauge",
    "Device memory in use that no live process holds, some MiB of the driver's own included; absent where not every "
    "process can be seen, and while MIG instances exist.",
    "nvmlDeviceGetMemoryInfo_v2 less nvmlDeviceGetComputeRunningProcesses_v3",
)
PROCESS_MEMORY = _metric(
    "gpu_process_memory_bytes",
    "gauge",
    "Device memory held by this process, for the 64 largest; off by default.",
    "nvmlDeviceGetComputeRunningProcesses_v3, nvmlSystemGetProcessName",
    PID,
    PROGRAM,
)
ATTRIBUTION = _metric(
    "gpu_attribution_info",
    "info",
    "Who uses this GPU, or this MIG instance of it, as far as origin knows (kubelet, cgroup, slurm); always 1.",
    "the kubelet's pod-resources socket, else /proc/PID/cgroup; the scheduler's job mapping directory",
    ORIGIN,
    POD_NAMESPACE,
    POD,
    CONTAINER,
    SLURM_JOB,
    GPU_INSTANCE,
)

MIG_ENABLED = _metric(
    "gpu_mig_enabled",
    "gauge",
    "Whether this GPU is split by MIG (1) or not (0); up to 30 s old.",
    "nvmlDeviceGetMigMode",
)
MIG_INFO = _metric(
    "gpu_mig_info",
    "info",
    "What this MIG instance is; always 1.",
    "nvmlDeviceGetMigDeviceHandleByIndex, nvmlDeviceGetUUID, nvmlDeviceGetName",
    *_INSTANCE,
    MIG_UUID,
    PROFILE,
)
MIG_MEMORY_TOTAL = _metric(
    "gpu_mig_memory_total_bytes",
    "gauge",
    "Device memory of this MIG instance.",
    "nvmlDeviceGetMemoryInfo_v2",
    *_INSTANCE,
)
MIG_MEMORY_USED = _metric(
    "gpu_mig_memory_used_bytes",
    "gauge",
    "Device memory of this MIG instance that is in use.",
    "nvmlDeviceGetMemoryInfo_v2",
    *_INSTANCE,
)
MIG_GRAPHICS_ACTIVITY = _metric(
    "gpu_mig_graphics_activity_ratio",
    "gauge",
    "Share of the time since the last collection in which any work ran in this GPU instance (0 to 1).",
    f"{_GPM} GRAPHICS_UTIL of nvmlGpmMigSampleGet",
    GPU_INSTANCE,
)
MIG_SM_ACTIVITY = _metric(
    "gpu_mig_sm_activity_ratio",
    "gauge",
    "Share of this GPU instance's multiprocessors that were busy since the last collection (0 to 1).",
    f"{_GPM} SM_UTIL of nvmlGpmMigSampleGet",
    GPU_INSTANCE,
)
MIG_TENSOR_ACTIVITY = _metric(
    "gpu_mig_tensor_activity_ratio",
    "gauge",
    "Share of the time since the last collection in which this GPU instance's tensor cores worked (0 to 1).",
    f"{_GPM} ANY_TENSOR_UTIL of nvmlGpmMigSampleGet",
    GPU_INSTANCE,
)
MIG_DRAM_ACTIVITY = _metric(
    "gpu_mig_dram_activity_ratio",
    "gauge",
    "Share of this GPU instance's memory bandwidth that was used since the last collection (0 to 1).",
    f"{_GPM} DRAM_BW_UTIL of nvmlGpmMigSampleGet",
    GPU_INSTANCE,
)

ENCODER_UTILIZATION = _metric(
    "gpu_encoder_utilization_ratio",
    "gauge",
    "Share of time in which the video encoder worked (0 to 1); off by default.",
    "nvmlDeviceGetEncoderUtilization",
)
DECODER_UTILIZATION = _metric(
    "gpu_decoder_utilization_ratio",
    "gauge",
    "Share of time in which the video decoder worked (0 to 1); off by default.",
    "nvmlDeviceGetDecoderUtilization",
)
JPEG_UTILIZATION = _metric(
    "gpu_jpeg_utilization_ratio",
    "gauge",
    "Share of time in which the JPEG decoder worked (0 to 1); off by default.",
    "nvmlDeviceGetJpgUtilization",
)
OFA_UTILIZATION = _metric(
    "gpu_ofa_utilization_ratio",
    "gauge",
    "Share of time in which the optical flow accelerator worked (0 to 1); off by default.",
    "nvmlDeviceGetOfaUtilization",
)
FAN_SPEED = _metric(
    "gpu_fan_speed_ratio",
    "gauge",
    "Fan speed that the driver wants, of the greatest (0 to 1, can be more); off by default.",
    "nvmlDeviceGetFanSpeed_v2",
    FAN,
)
BAR1_TOTAL = _metric(
    "gpu_bar1_total_bytes",
    "gauge",
    "Size of the window through which the host reaches device memory; off by default.",
    "nvmlDeviceGetBAR1MemoryInfo",
)
BAR1_USED = _metric(
    "gpu_bar1_used_bytes",
    "gauge",
    "Part of the window through which the host reaches device memory that is in use; off by default.",
    "nvmlDeviceGetBAR1MemoryInfo",
)

METRICS = (
    POWER_AVERAGE,
    POWER_DEFAULT_LIMIT,
    POWER_MIN_LIMIT,
    POWER_MAX_LIMIT,
    CLOCK,
    CLOCK_MAX,
    PERFORMANCE_STATE,
    PERSISTENCE,
    GRAPHICS_ACTIVITY,
    SM_ACTIVITY,
    SM_OCCUPANCY,
    TENSOR_ACTIVITY,
    DRAM_ACTIVITY,
    PCIE_TRANSMIT_RATE,
    PCIE_RECEIVE_RATE,
    PCIE_TRANSMITTED,
    PCIE_RECEIVED,
    NVLINK_TRANSMITTED,
    NVLINK_RECEIVED,
    PROCESSES,
    PROGRAM_MEMORY,
    ORPHANED_MEMORY,
    PROCESS_MEMORY,
    ATTRIBUTION,
    MIG_ENABLED,
    MIG_INFO,
    MIG_MEMORY_TOTAL,
    MIG_MEMORY_USED,
    MIG_GRAPHICS_ACTIVITY,
    MIG_SM_ACTIVITY,
    MIG_TENSOR_ACTIVITY,
    MIG_DRAM_ACTIVITY,
    ENCODER_UTILIZATION,
    DECODER_UTILIZATION,
    JPEG_UTILIZATION,
    OFA_UTILIZATION,
    FAN_SPEED,
    BAR1_TOTAL,
    BAR1_USED,
)
