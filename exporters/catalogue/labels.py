"""Label names, each with its meaning. The keys are an API: renamed only with an alias."""

# Target labels: set where a target is configured (compose/targets, the runner), on every series.
CLUSTER = "cluster"
"""The site or Kubernetes cluster; `default` where nobody says."""
NAMESPACE = "namespace"
"""The tenant or Kubernetes namespace; `default` where nobody says."""
SERVICE = "service"
"""What users call: the unit that has objectives; the job's name where nobody says."""
HOST = "host"
"""The machine; the host part of `instance` where nobody says."""
JOB = "job"
INSTANCE = "instance"
ENGINE = "engine"
"""The kind of inference engine (vllm, sglang, inferwatch, ...); only on engine targets."""

# Labels that exporters attach.
GPU = "gpu"
"""Index of the GPU on its host, as text."""
UUID = "uuid"
"""The GPU's UUID: its identity across reboots and moves."""
MODEL = "model"
"""The served model; unknown names sent by clients fold into one value."""
ERROR_TYPE = "error_type"
"""Why a request failed: one closed set, `ERROR_TYPES`."""
COLLECTOR = "collector"
"""A subject of the GPU exporter: the file name in exporters/gpu/collectors."""
TARGET = "target"
"""A probed endpoint, by its name in the probe's configuration file."""
TARGET_SERVICE = "target_service"
"""The service that a probed endpoint belongs to; becomes `service` on canonical signals."""
OUTCOME = "outcome"
"""How a request ended, for whoever counts good and bad: one closed set, `OUTCOMES`."""
PHASE = "phase"
"""Where a request was when its client left: one of `PHASES`."""
VERSION = "version"
CONFIG_HASH = "config_hash"
"""Changes when, and only when, a setting that matters to serving changes."""
REASON = "reason"
"""Why something failed: a closed set that is listed beside the metric."""

TARGET_LABELS = (CLUSTER, NAMESPACE, SERVICE, HOST)
GPU_LABELS = (GPU, UUID)

ERROR_TYPES = (
    "queue_full",
    "timeout_queue",
    "timeout_decode",
    "client_disconnect",
    "context_length_exceeded",
    "oom",
    "engine_dead",
    "invalid_request",
    "rate_limited",
    "unauthorized",
    "internal_error",
)
"""Every value of `error_type` (and of the span attribute and log field `error.type`)."""

OUTCOMES = ("success", "failed", "refused", "cancelled")
"""Every value of `outcome`. Good and bad for an objective are success and failed: `refused` is the client's own
mistake or its own limit, `cancelled` is its own choice."""

REFUSALS = ("context_length_exceeded", "invalid_request", "rate_limited", "unauthorized")
"""The error types that are the client's doing."""

PHASES = ("queue", "prefill", "decode")
"""Where a request can be in the engine, in this order."""


def outcome(error_type: str) -> str:
    """The outcome that an error type means; the empty one means success."""
    if not error_type:
        return "success"
    if error_type == "client_disconnect":
        return "cancelled"
    return "refused" if error_type in REFUSALS else "failed"
