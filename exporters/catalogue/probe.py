"""Every metric of the outside prober: what a user of a service would have seen."""

from exporters.catalogue.labels import MODEL, REASON, TARGET, TARGET_SERVICE
from exporters.catalogue.metric import Metric

_LABELS = (TARGET, TARGET_SERVICE, MODEL)

REASONS = ("connect", "timeout", "http_status", "bad_stream", "no_tokens")
"""Every value of `reason`: no connection; no end within the timeout; a status other than 200; bytes that are not
the protocol or end early; a well-formed answer without a token."""

SUCCESS = Metric(
    "llm_probe_success",
    "gauge",
    "Whether the last streamed completion arrived whole and in time (1) or not (0); absent before the first ended.",
    _LABELS,
)
DURATION = Metric(
    "llm_probe_duration_seconds",
    "gauge",
    "Time from connecting to the end of the last attempt, failed or not.",
    _LABELS,
)
TIME_TO_FIRST_TOKEN = Metric(
    "llm_probe_time_to_first_token_seconds",
    "gauge",
    "Time from connecting to the first token of the last attempt; absent where none came.",
    _LABELS,
)
LAST_SUCCESS = Metric(
    "llm_probe_last_success_timestamp_seconds",
    "gauge",
    "When an attempt last succeeded, in seconds since the epoch; absent before the first.",
    _LABELS,
)
ATTEMPTS = Metric("llm_probe_attempts_total", "counter", "Attempts that ended, failed or not.", _LABELS)
FAILURES = Metric("llm_probe_failures_total", "counter", "Attempts that failed, by reason.", (*_LABELS, REASON))

METRICS = (SUCCESS, DURATION, TIME_TO_FIRST_TOKEN, LAST_SUCCESS, ATTEMPTS, FAILURES)
