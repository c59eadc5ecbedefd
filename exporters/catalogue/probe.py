"""Every metric of the outside prober: what a user of a service would have seen."""

from exporters.catalogue.labels import MODEL, REASON, TARGET, TARGET_SERVICE
from exporters.catalogue.metric import Metric

_LABELS = (TARGET, TARGET_SERVICE, MODEL)

REASONS = ("connect", "timeout", "http_status", "bad_stream", "no_tokens")
"""Every value of `reason`: no connection; no end within the timeout; a status other than 200; bytes that are not
the protocol or end early; a well-formed answer without a token. A wrong answer is none of them: it arrived."""

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
CONNECT = Metric(
    "llm_probe_connect_seconds",
    "gauge",
    "Time until the connection of the last attempt stood, name look-up and TLS included; absent where it never did.",
    _LABELS,
)
TIME_TO_FIRST_TOKEN = Metric(
    "llm_probe_time_to_first_token_seconds",
    "gauge",
    "Time from connecting to the first token of the last attempt; absent where none came.",
    _LABELS,
)
TIME_PER_OUTPUT_TOKEN = Metric(
    "llm_probe_time_per_output_token_seconds",
    "gauge",
    "Mean time per token after the first of the last attempt; absent where it failed or its text came in one piece.",
    _LABELS,
)
ANSWER_MATCHES = Metric(
    "llm_probe_answer_matches",
    "gauge",
    "Whether the last answer is the golden one (1) or not (0); absent while there is no golden answer, after a failed "
    "attempt, and where answers are not checked.",
    _LABELS,
)
ANSWER_MISMATCHES = Metric(
    "llm_probe_answer_mismatches_total",
    "counter",
    "Answers that arrived whole and were not the golden one; absent where answers are not checked.",
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

METRICS = (
    SUCCESS,
    DURATION,
    CONNECT,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    ANSWER_MATCHES,
    ANSWER_MISMATCHES,
    LAST_SUCCESS,
    ATTEMPTS,
    FAILURES,
)
