"""Every metric of the GPU exporter.

Units are converted once, in exporters/gpu/devices. A sample is absent where the card does not report the
value, and for every gauge of a GPU that does not answer; it is never 0 for "unknown".
"""

from exporters.catalogue.labels import COLLECTOR, GPU_LABELS, NVSWITCH, PROCESS, SXID, XID
from exporters.catalogue.metric import Metric

UP = Metric(
    "gpu_up",
    "gauge",
    "Whether this GPU answered the last collection (1) or not (0).",
    GPU_LABELS,
    "every NVML call of the collection",
)
INFO = Metric(
    "gpu_info",
    "info",
    "What this GPU is; always 1.",
    (*GPU_LABELS, "name", "driver_version", "cuda_version", "vbios_version", "pci_bus_id"),
    "nvmlDeviceGetName, nvmlSystemGetDriverVersion, nvmlSystemGetCudaDriverVersion, "
    "nvmlDeviceGetVbiosVersion, nvmlDeviceGetPciInfo",
)

MEMORY_TOTAL = Metric(
    "gpu_memory_total_bytes",
    "gauge",
    "Device memory, all of it.",
    GPU_LABELS,
    "nvmlDeviceGetMemoryInfo_v2",
)
MEMORY_USED = Metric(
    "gpu_memory_used_bytes",
    "gauge",
    "Device memory held by processes, without what the driver reserves.",
    GPU_LABELS,
    "nvmlDeviceGetMemoryInfo_v2",
)
MEMORY_FREE = Metric(
    "gpu_memory_free_bytes",
    "gauge",
    "Device memory that can still be allocated.",
    GPU_LABELS,
    "nvmlDeviceGetMemoryInfo_v2",
)
MEMORY_RESERVED = Metric(
    "gpu_memory_reserved_bytes",
    "gauge",
    "Device memory that the driver keeps for itself.",
    GPU_LABELS,
    "nvmlDeviceGetMemoryInfo_v2",
)

UTILIZATION = Metric(
    "gpu_utilization_ratio",
    "gauge",
    "Share of the driver's last sample period in which a kernel ran (0 to 1); not how much of the GPU it used.",
    GPU_LABELS,
    "nvmlDeviceGetUtilizationRates",
)
MEMORY_UTILIZATION = Metric(
    "gpu_memory_utilization_ratio",
    "gauge",
    "Share of the driver's last sample period in which device memory was read or written (0 to 1).",
    GPU_LABELS,
    "nvmlDeviceGetUtilizationRates",
)

TEMPERATURE = Metric(
    "gpu_temperature_celsius",
    "gauge",
    "Temperature of the GPU die.",
    GPU_LABELS,
    "nvmlDeviceGetTemperatureV, formerly nvmlDeviceGetTemperature",
)
MEMORY_TEMPERATURE = Metric(
    "gpu_memory_temperature_celsius",
    "gauge",
    "Temperature of the device memory.",
    GPU_LABELS,
    "nvmlDeviceGetFieldValues NVML_FI_DEV_MEMORY_TEMP",
)
TEMPERATURE_MARGIN = Metric(
    "gpu_temperature_margin_celsius",
    "gauge",
    "Degrees left before the hardware slows the GPU down; 0 or below means that it does.",
    GPU_LABELS,
    "nvmlDeviceGetMarginTemperature less NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT, "
    "else slowdown threshold less temperature",
)
SLOWDOWN_TEMPERATURE = Metric(
    "gpu_slowdown_temperature_celsius",
    "gauge",
    "Temperature at which the hardware slows the GPU down.",
    GPU_LABELS,
    "nvmlDeviceGetTemperatureThreshold, else from nvmlDeviceGetMarginTemperature and the T.Limit offset",
)
SHUTDOWN_TEMPERATURE = Metric(
    "gpu_shutdown_temperature_celsius",
    "gauge",
    "Temperature at which the hardware turns the GPU off.",
    GPU_LABELS,
    "nvmlDeviceGetTemperatureThreshold, else from nvmlDeviceGetMarginTemperature and the T.Limit offset",
)

POWER = Metric(
    "gpu_power_watts",
    "gauge",
    "Power that the board draws now.",
    GPU_LABELS,
    "nvmlDeviceGetFieldValues NVML_FI_DEV_POWER_INSTANT, else nvmlDeviceGetPowerUsage",
)
POWER_LIMIT = Metric(
    "gpu_power_limit_watts",
    "gauge",
    "Power limit that is enforced; up to 30 s old.",
    GPU_LABELS,
    "nvmlDeviceGetEnforcedPowerLimit",
)
ENERGY = Metric(
    "gpu_energy_joules_total",
    "counter",
    "Energy drawn since the driver was loaded.",
    GPU_LABELS,
    "nvmlDeviceGetTotalEnergyConsumption",
)

READING_TIMESTAMP = Metric(
    "gpu_reading_timestamp_seconds",
    "gauge",
    "When this GPU last answered, in seconds since the epoch; absent where it has not since the exporter started.",
    GPU_LABELS,
    "every NVML call of the collection",
)
READING_DURATION = Metric(
    "gpu_scrape_reading_duration_seconds",
    "gauge",
    "How long the last reading of this GPU took; absent while it does not answer.",
    GPU_LABELS,
)
LAST_ERROR_CODE = Metric(
    "gpu_last_error_code",
    "gauge",
    "NVML's code of why this GPU last did not answer (15: lost, 28: no longer listed), -1 where a call did not "
    "return; stays after the GPU is back, absent where there was no error since the exporter started.",
    GPU_LABELS,
    "every NVML call of the collection",
)
QUARANTINED = Metric(
    "gpu_quarantined",
    "gauge",
    "Whether this GPU is left alone for up to a minute (1) or not (0), because a call to it did not return.",
    GPU_LABELS,
    "the watchdog over every NVML call of the collection",
)

XID_ERRORS = Metric(
    "gpu_xid_errors_total",
    "counter",
    "Errors that the driver reported for this GPU since the exporter started; present at 0 for every fatal code.",
    (*GPU_LABELS, XID),
    "nvmlEventSetWait_v2 nvmlEventTypeXidCriticalError, and the kernel log",
)
XID_LAST_SEEN = Metric(
    "gpu_xid_last_seen_timestamp_seconds",
    "gauge",
    "When this error was last reported, in seconds since the epoch; can lie before the exporter's start.",
    (*GPU_LABELS, XID),
    "nvmlEventSetWait_v2 nvmlEventTypeXidCriticalError, and the kernel log",
)
SXID_ERRORS = Metric(
    "nvswitch_errors_total",
    "counter",
    "Errors that the driver reported for this NVSwitch since the exporter started; absent before the first.",
    (NVSWITCH, SXID),
    "the kernel log",
)
SXID_LAST_SEEN = Metric(
    "nvswitch_error_last_seen_timestamp_seconds",
    "gauge",
    "When this error was last reported, in seconds since the epoch; can lie before the exporter's start.",
    (NVSWITCH, SXID),
    "the kernel log",
)
XID_WATCHER_HEARTBEAT = Metric(
    "gpu_scrape_xid_watcher_heartbeat_timestamp_seconds",
    "gauge",
    "When NVML's event path last gave a sign of life, in seconds since the epoch; older than the collection means "
    "that XIDs may go unheard.",
)
KERNEL_LOG_READABLE = Metric(
    "gpu_scrape_kernel_log_readable",
    "gauge",
    "Whether the kernel log can be read for errors (1) or not (0); absent where it is not to be read.",
)

EXPECTED = Metric(
    "gpu_scrape_expected_gpus",
    "gauge",
    "How many GPUs there should be.",
)
LISTED = Metric(
    "gpu_scrape_listed_gpus",
    "gauge",
    "How many GPUs the driver lists, whether they answer or not; absent where the driver does not say.",
    source="nvmlDeviceGetCount_v2",
)
DRIVER_ERROR_CODE = Metric(
    "gpu_scrape_driver_error_code",
    "gauge",
    "NVML's code of why the driver does not answer (9: not loaded, 12: no library, 18: version mismatch), -1 where a "
    "call did not return; absent while it answers.",
    source="every NVML call of the collection",
)
PROCESS_RESTARTS = Metric(
    "gpu_scrape_process_restarts_total",
    "counter",
    "Times that a process which talks to NVML was replaced by a new one.",
    (PROCESS,),
)
WATCHDOG_KILLS = Metric(
    "gpu_scrape_watchdog_kills_total",
    "counter",
    "Times that a process which talks to NVML was killed because a call did not return.",
    (PROCESS,),
)
ABANDONED = Metric(
    "gpu_scrape_abandoned_processes",
    "gauge",
    "Processes that are still inside a driver call although they were killed.",
)
COLLECTOR_DURATION = Metric(
    "gpu_scrape_collector_duration_seconds",
    "gauge",
    "How long the collector took to make its metrics of the last collection's readings.",
    (COLLECTOR,),
)

COLLECTION_TIMESTAMP = Metric(
    "gpu_scrape_collection_timestamp_seconds",
    "gauge",
    "When the readings on this page were taken, in seconds since the epoch; absent before the first.",
)
COLLECTION_DURATION = Metric(
    "gpu_scrape_collection_duration_seconds",
    "gauge",
    "How long the last collection took.",
)
COLLECTOR_SUCCESS = Metric(
    "gpu_scrape_collector_success",
    "gauge",
    "Whether the collector worked in the last collection (1) or not (0).",
    (COLLECTOR,),
)
SOURCE_INFO = Metric(
    "gpu_scrape_source_info",
    "info",
    "Where the readings come from: nvml is real hardware, simulated is made up; always 1.",
    ("source",),
)
DRIVER_UP = Metric(
    "gpu_scrape_driver_up",
    "gauge",
    "Whether the NVIDIA driver answered the last collection (1) or not (0).",
)

METRICS = (
    UP,
    INFO,
    MEMORY_TOTAL,
    MEMORY_USED,
    MEMORY_FREE,
    MEMORY_RESERVED,
    UTILIZATION,
    MEMORY_UTILIZATION,
    TEMPERATURE,
    MEMORY_TEMPERATURE,
    TEMPERATURE_MARGIN,
    SLOWDOWN_TEMPERATURE,
    SHUTDOWN_TEMPERATURE,
    POWER,
    POWER_LIMIT,
    ENERGY,
    READING_TIMESTAMP,
    READING_DURATION,
    LAST_ERROR_CODE,
    QUARANTINED,
    XID_ERRORS,
    XID_LAST_SEEN,
    SXID_ERRORS,
    SXID_LAST_SEEN,
    XID_WATCHER_HEARTBEAT,
    KERNEL_LOG_READABLE,
    EXPECTED,
    LISTED,
    DRIVER_ERROR_CODE,
    PROCESS_RESTARTS,
    WATCHDOG_KILLS,
    ABANDONED,
    COLLECTOR_DURATION,
    COLLECTION_TIMESTAMP,
    COLLECTION_DURATION,
    COLLECTOR_SUCCESS,
    DRIVER_UP,
    SOURCE_INFO,
)
