"""Canonical signals: the only names that alerts and boards use for engines, GPUs and probes.

Recording rules fill them from whatever engine or exporter runs (alerts/engines). They are an API: renamed
only with an alias for two minor versions.
"""

from dataclasses import dataclass, replace

from exporters.catalogue.labels import (
    CLUSTER,
    ENGINE,
    GPU_LABELS,
    HOST,
    INSTANCE,
    JOB,
    MODEL,
    TARGET,
    TARGET_LABELS,
    UUID,
)
from exporters.catalogue.metric import selectors

_ENGINE = (*TARGET_LABELS, ENGINE, MODEL, JOB, INSTANCE)
_SERVICE = tuple(label for label in TARGET_LABELS if label != "host")
_TARGET_SIDE = (*TARGET_LABELS, JOB, INSTANCE)
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
    "There where an engine is broken, or a GPU that it computes on, by the alert whose condition holds (root), with "
    "that condition's value; absent while nothing is broken. Not yet an alert: its `for` may still be running.",
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
BATCH = Signal(
    "llm:batch:avg1m",
    "Requests in the engine's batch over the last minute; absent below one, where it has no pace.",
    _ENGINE,
)
PACE = Signal("llm:pace:rate1m", "Tokens generated a second for each request in the batch.", _ENGINE)
REQUESTS = Signal("llm:requests:rate1m", "Requests that ended a second, failed or not.", _ENGINE)
REQUEST_ERRORS = Signal(
    "llm:request_errors:rate1m", "Requests that failed a second, by error_type.", (*_ENGINE, "error_type")
)
VALID_REQUESTS = Signal(
    "llm:valid_requests:rate1m",
    "Requests that ended a second, well or by the service's own fault; those that the client spoilt do not count.",
    _ENGINE,
)
FAILED_REQUESTS = Signal(
    "llm:failed_requests:rate1m", "Requests that failed a second by the service's own fault.", _ENGINE
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

INTER_TOKEN_LATENCY = Signal(
    "llm:inter_token_latency_bucket:rate1m",
    "Gaps between two tokens of one answer a second that were within le seconds, over all engines of one kind.",
    (*_SERVICE, ENGINE, MODEL, "le"),
)
QUEUE_TIME = Signal(
    "llm:queue_time_bucket:rate1m",
    "Requests a second that had their place in the batch within le seconds, over all engines of one kind.",
    (*_SERVICE, ENGINE, MODEL, "le"),
)
REQUEST_DURATION = Signal(
    "llm:request_duration_bucket:rate1m",
    "Requests a second that were answered well within le seconds, over all engines of one kind.",
    (*_SERVICE, ENGINE, MODEL, "le"),
)
DEMAND = Signal("llm:demand:rate1m", "Requests that ended a second, failed or turned away included.", _SERVICE)
REPLICA_CAPACITY = Signal(
    "llm:replica_capacity",
    "Requests a second that one replica takes before answers come late, by alerts/objectives.yaml; absent where it "
    "says nothing.",
    _SERVICE,
)
REPLICAS_FOR_WAIT = Signal(
    "llm:replicas_for_wait",
    "Replicas that would keep the mean wait of the present demand within what alerts/objectives.yaml says, were the "
    "service an M/M/n queue; absent where it says nothing.",
    _SERVICE,
)

_SLO = (*_SERVICE, MODEL, "slo")
SLO_TOTAL = Signal("slo:total:rate1m", "Requests a second that a promise is about; `slo` names the promise.", _SLO)
SLO_BAD = Signal("slo:bad:rate1m", "Of these, the ones that broke it.", _SLO)
SLO_OBJECTIVE = Signal("slo:objective:ratio", "Share of requests that the promise is to be kept for, 0 to 1.", _SLO)
SLO_BUDGET_REMAINING = Signal(
    "slo:budget_remaining:ratio",
    "Share of the period's error budget that is left, at most 1; below 0 the promise is broken. A time without data "
    "counts as one in which all went well.",
    _SLO,
)

RESTARTS = Signal("llm:restarts:10m", "Times that the engine started anew in the last ten minutes.", _ENGINE)
KV_CACHE_USAGE = Signal("llm:kv_cache_usage", "Share of the KV cache that is taken, 0 to 1.", _ENGINE)
PREEMPTIONS = Signal("llm:preemptions:rate1m", "Running requests a second that lost their place.", _ENGINE)
REJECTIONS = Signal("llm:rejections:rate1m", "Requests a second that were refused, by reason.", (*_ENGINE, "reason"))
BUILD_INFO = Signal(
    "llm:build_info",
    "What an engine runs; always 1.",
    (*_ENGINE, "version", "config_hash", "fingerprint"),
)
SERVICE_CHANGED = Signal(
    "llm:changed:1h",
    "There for an hour after a service's engines changed: `what` (version, model, settings, restart of) and `to` what.",
    (*_SERVICE, "what", "to"),
)
ENGINE_GPU = Signal(
    "llm:engine_gpu:info",
    "Which GPU an engine computes on; always 1, absent where nobody says, kept while the engine does not answer.",
    (*TARGET_LABELS, ENGINE, JOB, INSTANCE, "uuid"),
)
ENGINE_GPU_FAILED = Signal(
    "llm:engine_gpu:failed",
    "llm:engine_gpu:info of the GPUs that fail or failed of late (gpu:root), so that not every rule that leads from a "
    "GPU to its engines reads all GPUs.",
    ENGINE_GPU.labels,
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

PROBE_ANSWER_MATCHES = Signal(
    "llm:probe_answer_matches",
    "Whether the last outside completion was the golden answer (1) or not (0); absent after a failed one, and where "
    "there is no golden answer.",
    (*_SERVICE, MODEL, TARGET, JOB, INSTANCE),
)

GPU_UP = Signal("gpu:up", "Whether the GPU answered its last collection (1) or not (0).", _GPU)
GPU_INFO = Signal(
    "gpu:info", "What the GPU is; always 1.", (*_GPU, "name", "driver_version", "vbios_version", "pci_bus_id")
)
HOST_CHANGED = Signal(
    "gpu:changed:1h",
    "There for an hour after the GPUs of a host changed: `what` (driver, VBIOS) and `to` which version.",
    (CLUSTER, HOST, "what", "to"),
)
GPU_UTILIZATION = Signal("gpu:utilization", "Share of time in which a kernel ran, 0 to 1.", _GPU)
GPU_MEMORY_USED = Signal("gpu:memory_used", "Bytes of device memory in use.", _GPU)
GPU_MEMORY_TOTAL = Signal("gpu:memory_total", "Bytes of device memory.", _GPU)
GPU_TEMPERATURE = Signal("gpu:temperature", "Degrees Celsius of the GPU die.", _GPU)
GPU_TEMPERATURE_MARGIN = Signal(
    "gpu:temperature_margin", "Degrees Celsius left before the hardware slows the GPU down.", _GPU
)
GPU_POWER = Signal("gpu:power", "Watts that the board draws.", _GPU)

GPU_PROGRAM_MEMORY = Signal(
    "gpu:program_memory", "Bytes of device memory that processes of a program hold.", (*_GPU, "program")
)

GPU_SEEN_AT = Signal(
    "gpu:seen_at",
    "When the GPU was last on a page, answering or not, in seconds since the epoch; kept for six hours after it "
    "vanished from all pages.",
    _GPU,
)
GPU_STATE = Signal(
    "gpu:state",
    "How the GPU is, for boards: 0 fallen off the bus, 1 does not answer, 2 gone from all pages, 3 answers.",
    (CLUSTER, HOST, *GPU_LABELS),
)
GPU_DRIVER_UP = Signal(
    "host:gpu_driver_up",
    "Whether the host's GPU driver answered the last collection (1) or not (0).",
    _TARGET_SIDE,
)
GPU_LAST_ERROR = Signal(
    "gpu:last_error_code",
    "NVML's code of why the GPU does not answer (15: lost), -1 where a call did not return; absent where it answers, "
    "and where the whole driver does not.",
    _GPU,
)
GPU_READING_AGE = Signal(
    "gpu:reading_age",
    "Whole seconds since the GPU last answered, by the host's own clock; absent where it has not since its exporter "
    "started.",
    _GPU,
)
GPU_XID_AGE = Signal(
    "gpu:xid_age",
    "Whole seconds since the driver last reported this XID for the GPU, by the host's own clock; absent where it "
    "never has.",
    (*_GPU, "xid"),
)
GPU_ECC_UNCORRECTED = Signal(
    "gpu:ecc_uncorrected:increase", "Memory errors of the last ten minutes that ECC could not correct.", _GPU
)
GPU_RECOVERY_ACTION = Signal(
    "gpu:recovery_action",
    "What the driver wants done: 0 nothing, 1 GPU reset, 2 reboot, 3 and more: drain first.",
    _GPU,
)
GPU_ROW_REMAP_FAILED = Signal("gpu:row_remap_failed", "Whether a row of memory could not be replaced (1, 0).", _GPU)
GPU_RETIREMENT_PENDING = Signal(
    "gpu:retirement_pending", "Whether a row or page of memory waits for a reset to be taken out of use (1, 0).", _GPU
)
GPU_SRAM_THRESHOLD_EXCEEDED = Signal(
    "gpu:sram_threshold_exceeded", "Whether on-chip memory had so many errors that the card is to be replaced.", _GPU
)
GPU_HEAT_SLOWDOWN = Signal(
    "gpu:heat_slowdown", "Whether the hardware slows the GPU down because of heat (1) or not (0).", _GPU
)
GPU_THROTTLED = Signal(
    "gpu:throttled:ratio",
    "Share of the last two minutes in which a reason held the clocks down, up to 1; absent where it never did.",
    (*_GPU, "reason"),
)
GPU_MEMORY_ORPHANED = Signal("gpu:memory_orphaned", "Bytes of device memory in use that no live process holds.", _GPU)
GPU_NVLINKS_UP = Signal("gpu:nvlinks_up", "NVLinks of the GPU that are active.", _GPU)
GPU_NVLINKS_EXPECTED = Signal(
    "gpu:nvlinks_expected", "Most NVLinks that were active at a time since the GPU was last away.", _GPU
)
GPU_NVLINK_ERRORS = Signal("gpu:nvlink_errors:rate5m", "Errors of all NVLinks of the GPU a second.", _GPU)
GPU_PCIE_LANES = Signal("gpu:pcie_lanes:ratio", "PCIe lanes in use, of those that the card can use here.", _GPU)
GPU_PCIE_REPLAYS = Signal("gpu:pcie_replays:rate5m", "Packets a second that were sent again over PCIe.", _GPU)

GPU_ROOT = Signal(
    "gpu:root",
    "There where a GPU fails its users, by the alert whose condition holds (root), with that condition's value.",
    (*_GPU, "xid", "root"),
)
GPU_SPARED = Signal(
    "gpu:spared",
    "There where a GPU fails (gpu:root) that no service needs: all that compute on it have enough healthy replicas "
    "left. Absent where nobody says who computes on it.",
    (CLUSTER, UUID),
)

HOST_CLOCK_SKEW = Signal("host:clock_skew", "Seconds by which the host's clock is ahead of Prometheus'.", _TARGET_SIDE)
COLLECTIONS = Signal(
    "telemetry:collections",
    "New readings that an exporter or prober made of late; 0 means that its page repeats old ones.",
    _TARGET_SIDE,
)

DROPPED = Signal(
    "telemetry:dropped:increase2m",
    "Spans of the last two minutes that were lost on their way to the collector, by reason; absent where none is set.",
    (*_TARGET_SIDE, ENGINE, "reason"),
)
LOST = Signal(
    "telemetry:lost", "`up` of each target that stopped answering within the last minute; else absent.", _TARGET_SIDE
)
OWN_PARTS = Signal(
    "telemetry:own_up",
    "`up` of what the alerting is made of (Prometheus, Alertmanager, dead man's switch) while it answers; else absent.",
    _TARGET_SIDE,
)

SIGNALS = (
    LOST,
    OWN_PARTS,
    HOST_CLOCK_SKEW,
    COLLECTIONS,
    DROPPED,
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
    BATCH,
    PACE,
    REQUESTS,
    REQUEST_ERRORS,
    VALID_REQUESTS,
    FAILED_REQUESTS,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    INTER_TOKEN_LATENCY,
    QUEUE_TIME,
    REQUEST_DURATION,
    DEMAND,
    REPLICA_CAPACITY,
    REPLICAS_FOR_WAIT,
    SLO_TOTAL,
    SLO_BAD,
    SLO_OBJECTIVE,
    SLO_BUDGET_REMAINING,
    RESTARTS,
    KV_CACHE_USAGE,
    PREEMPTIONS,
    REJECTIONS,
    BUILD_INFO,
    SERVICE_CHANGED,
    ENGINE_GPU,
    ENGINE_GPU_FAILED,
    PROBE_SUCCESS,
    PROBE_TIME_TO_FIRST_TOKEN,
    PROBE_ANSWER_MATCHES,
    GPU_UP,
    GPU_INFO,
    HOST_CHANGED,
    GPU_UTILIZATION,
    GPU_MEMORY_USED,
    GPU_MEMORY_TOTAL,
    GPU_TEMPERATURE,
    GPU_TEMPERATURE_MARGIN,
    GPU_POWER,
    GPU_PROGRAM_MEMORY,
    GPU_SEEN_AT,
    GPU_STATE,
    GPU_DRIVER_UP,
    GPU_LAST_ERROR,
    GPU_READING_AGE,
    GPU_XID_AGE,
    GPU_ECC_UNCORRECTED,
    GPU_RECOVERY_ACTION,
    GPU_ROW_REMAP_FAILED,
    GPU_RETIREMENT_PENDING,
    GPU_SRAM_THRESHOLD_EXCEEDED,
    GPU_HEAT_SLOWDOWN,
    GPU_THROTTLED,
    GPU_MEMORY_ORPHANED,
    GPU_NVLINKS_UP,
    GPU_NVLINKS_EXPECTED,
    GPU_NVLINK_ERRORS,
    GPU_PCIE_LANES,
    GPU_PCIE_REPLAYS,
    GPU_ROOT,
    GPU_SPARED,
)
