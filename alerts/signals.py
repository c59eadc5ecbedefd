"""Canonical signals: the only names that alerts and boards use for engines, GPUs and probes.

Recording rules fill them from whatever engine or exporter runs (alerts/engines). They are an API: renamed
only with an alias for two minor versions.
"""

from dataclasses import dataclass, replace

from exporters.catalogue.labels import ENGINE, GPU_LABELS, INSTANCE, JOB, MODEL, TARGET, TARGET_LABELS
from exporters.catalogue.metric import selectors

_ENGINE = (*TARGET_LABELS, ENGINE, MODEL, JOB, INSTANCE)
_SERVICE = tuple(label for label in TARGET_LABELS if label != "host")
_GPU = (*TARGET_LABELS, JOB, INSTANCE, *GPU_LABELS)


@dataclass(frozen=True, slots=True)
class Signal:
    """A recorded series: its name, what it means, which labels it carries."""

    name: str
    help: str
    """One sentence with the unit; says what absence means where that is not obvious."""
    labels: tuple[str, ...]
    matchers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The name with its matchers, ready for PromQL."""
        return self.name + (f"{{{', '.join(self.matchers)}}}" if self.matchers else "")

    def where(self, **matchers: str) -> "Signal":
        """This signal with label matchers, as `exporters.catalogue.metric.selectors` takes them."""
        return replace(self, matchers=self.matchers + selectors(self.name, self.labels, matchers))

    def over(self, window: str) -> str:
        """This signal as a range vector."""
        return f"{self}[{window}]"


ENGINE_UP = Signal(
    "llm:up",
    "Whether the engine answered its last scrape (1) or not (0); has no model, which a dead engine cannot tell.",
    (*TARGET_LABELS, ENGINE, JOB, INSTANCE),
)
ENGINE_ROOT = Signal(
    "llm:root",
    "There where an engine is broken, by the alert whose condition holds (root), with that condition's value; absent "
    "while nothing is broken. Not yet an alert: its `for` may still be running.",
    (*TARGET_LABELS, ENGINE, MODEL, JOB, INSTANCE, "root"),
)
REPLICAS_HEALTHY = Signal("llm:replicas_healthy", "Engines of a service that no root condition holds for.", _SERVICE)
REPLICAS_NEEDED = Signal(
    "llm:replicas_needed", "Healthy engines that users of a service need, by alerts/objectives.yaml.", _SERVICE
)
RUNNING = Signal("llm:requests_running", "Requests in the engine's batch.", _ENGINE)
WAITING = Signal("llm:requests_waiting", "Requests that wait for a place in the batch.", _ENGINE)
PROGRESS = Signal(
    "llm:progress:rate",
    "Turns of the engine's loop a second; 0 means that it does no work and, on engines with an idle heartbeat, that "
    "it is stuck.",
    _ENGINE,
)
MODEL_LOADED = Signal("llm:model_loaded", "Whether the model is in memory (1) or not (0).", _ENGINE)
PROMPT_TOKENS = Signal("llm:prompt_tokens:rate1m", "Prompt tokens prefilled a second.", _ENGINE)
GENERATED_TOKENS = Signal("llm:generated_tokens:rate1m", "Tokens generated a second.", _ENGINE)
REQUESTS = Signal("llm:requests:rate1m", "Requests that ended a second, failed or not.", _ENGINE)
REQUEST_ERRORS = Signal(
    "llm:request_errors:rate1m", "Requests that failed a second, by error_type.", (*_ENGINE, "error_type")
)
TIME_TO_FIRST_TOKEN = Signal(
    "llm:time_to_first_token_bucket:rate1m",
    "Requests a second whose first token came within le seconds, over all engines of one kind.",
    (*_SERVICE, ENGINE, MODEL, "le"),
)
TIME_PER_OUTPUT_TOKEN = Signal(
    "llm:time_per_output_token_bucket:rate1m",
    "Requests a second whose mean time per token was within le seconds, over all engines of one kind.",
    (*_SERVICE, ENGINE, MODEL, "le"),
)

PROBE_SUCCESS = Signal(
    "llm:probe_success",
    "Whether the last outside completion arrived whole and in time (1) or not (0).",
    (*_SERVICE, MODEL, TARGET, JOB, INSTANCE),
)
PROBE_TIME_TO_FIRST_TOKEN = Signal(
    "llm:probe_time_to_first_token",
    "Seconds from connecting to the first token of the last outside completion; absent where none came.",
    (*_SERVICE, MODEL, TARGET, JOB, INSTANCE),
)

GPU_UP = Signal("gpu:up", "Whether the GPU answered its last collection (1) or not (0).", _GPU)
GPU_INFO = Signal(
    "gpu:info", "What the GPU is; always 1.", (*_GPU, "name", "driver_version", "vbios_version", "pci_bus_id")
)
GPU_UTILIZATION = Signal("gpu:utilization", "Share of time in which a kernel ran, 0 to 1.", _GPU)
GPU_MEMORY_USED = Signal("gpu:memory_used", "Bytes of device memory in use.", _GPU)
GPU_MEMORY_TOTAL = Signal("gpu:memory_total", "Bytes of device memory.", _GPU)
GPU_TEMPERATURE = Signal("gpu:temperature", "Degrees Celsius of the GPU die.", _GPU)
GPU_TEMPERATURE_MARGIN = Signal(
    "gpu:temperature_margin", "Degrees Celsius left before the hardware slows the GPU down.", _GPU
)
GPU_POWER = Signal("gpu:power", "Watts that the board draws.", _GPU)

SIGNALS = (
    ENGINE_UP,
    ENGINE_ROOT,
    REPLICAS_HEALTHY,
    REPLICAS_NEEDED,
    RUNNING,
    WAITING,
    PROGRESS,
    MODEL_LOADED,
    PROMPT_TOKENS,
    GENERATED_TOKENS,
    REQUESTS,
    REQUEST_ERRORS,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    PROBE_SUCCESS,
    PROBE_TIME_TO_FIRST_TOKEN,
    GPU_UP,
    GPU_INFO,
    GPU_UTILIZATION,
    GPU_MEMORY_USED,
    GPU_MEMORY_TOTAL,
    GPU_TEMPERATURE,
    GPU_TEMPERATURE_MARGIN,
    GPU_POWER,
)
