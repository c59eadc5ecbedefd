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
XID = "xid"
"""Code of an error that the NVIDIA driver reports for a GPU; `exporters/catalogue/xid.py` has their meanings."""
SXID = "sxid"
"""Code of an error that the NVIDIA driver reports for an NVSwitch."""
NVSWITCH = "nvswitch"
"""An NVSwitch, as the kernel log names it: nvidia-nvswitch0."""
PROCESS = "process"
"""A process of the GPU exporter: `reader` asks NVML, `watcher` hears of XIDs."""
TARGET = "target"
"""A probed endpoint, by its name in the probe's configuration file."""
TARGET_SERVICE = "target_service"
"""The service that a probed endpoint belongs to; becomes `service` on canonical signals."""
LINK = "link"
"""Number of an NVLink, as text."""
DOMAIN = "domain"
"""A clock of a GPU: graphics, sm, memory or video."""
KIND = "kind"
"""A kind of error or complaint: a closed set that is listed in the metric's help."""
CAUSE = "cause"
"""What made a page or row unusable: single_bit or double_bit, corrected or uncorrected."""
LOCATION = "location"
"""Which on-chip memory had an error: l2, sm, pcie, mcu or other."""
LEVEL = "level"
"""How much is left: max, high, partial, low or none."""
STATE = "state"
"""A state of a closed set: the series of the present one is 1, the others are 0."""
FAN = "fan"
"""Number of a fan, as text."""
PROGRAM = "program"
"""File name of a process's program, never its arguments."""
PID = "pid"
"""A process on its host; only where it was asked for."""
GPU_INSTANCE = "gpu_instance"
"""Id of a MIG GPU instance, as text; empty for a whole GPU."""
COMPUTE_INSTANCE = "compute_instance"
"""Id of a MIG compute instance in its GPU instance, as text."""
MIG_UUID = "mig_uuid"
"""UUID of a MIG device."""
PROFILE = "profile"
"""Size of a MIG instance: 1g.18gb."""
ORIGIN = "origin"
"""Who says so: kubelet, cgroup or slurm."""
POD_NAMESPACE = "pod_namespace"
"""Kubernetes namespace of a pod that uses a GPU; `namespace` is the scraped target's."""
POD = "pod"
"""A pod that uses a GPU: its name, or its uid where only the cgroup knows it."""
CONTAINER = "container"
"""A container that uses a GPU: its name, or its id where only the cgroup knows it."""
SLURM_JOB = "slurm_job"
"""A Slurm job that uses a GPU."""
OUTCOME = "outcome"
"""How a request ended, for whoever counts good and bad: one closed set, `OUTCOMES`."""
PHASE = "phase"
"""Where a request was when its client left: one of `PHASES`."""
VERSION = "version"
CONFIG_HASH = "config_hash"
"""Changes when, and only when, a setting that matters to serving changes."""
FINGERPRINT = "fingerprint"
"""Of the loaded model: changes with its weights, its configuration and the versions of what computes."""
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
SERVICE_FAULTS = tuple(kind for kind in ERROR_TYPES if kind not in ("client_disconnect", *REFUSALS))
"""The error types that break a promise: those whose outcome is `failed`."""

PHASES = ("queue", "prefill", "decode")
"""Where a request can be in the engine, in this order."""


def outcome(error_type: str) -> str:
    """The outcome that an error type means; the empty one means success."""
    if not error_type:
        return "success"
    if error_type == "client_disconnect":
        return "cancelled"
    return "refused" if error_type in REFUSALS else "failed"
