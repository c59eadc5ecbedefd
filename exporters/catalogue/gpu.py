"""Every metric of the GPU exporter.

Units are converted once, in exporters/gpu/devices. A sample is absent where the card does not report the
value, and for every gauge of a GPU that does not answer; it is never 0 for "unknown".
"""

from exporters.catalogue.labels import COLLECTOR, GPU_LABELS
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
    "Power limit that is enforced now.",
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
    COLLECTION_TIMESTAMP,
    COLLECTION_DURATION,
    COLLECTOR_SUCCESS,
    DRIVER_UP,
    SOURCE_INFO,
)
