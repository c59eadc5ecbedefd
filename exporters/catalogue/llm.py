"""Every metric of the reference inference service.

`gen_ai_server_*` are OpenTelemetry's GenAI server metrics under their standard names; `llm_*` is what that
convention lacks. The bucket ladders are the convention's, made finer at the bottom (small models) and
longer at the top (overload); objectives must sit on an edge.
"""

from exporters.catalogue.labels import (
    CONFIG_HASH,
    ERROR_TYPE,
    FINGERPRINT,
    MODEL,
    OUTCOME,
    PHASE,
    REASON,
    UUID,
    VERSION,
)
from exporters.catalogue.metric import Metric

_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_SEMCONV = "OpenTelemetry semantic conventions, GenAI metrics"

REJECTION_REASONS = (
    "queue_full",
    "rate_limited",
    "unauthorized",
    "unknown_model",
    "body_too_large",
    "prompt_too_long",
    "invalid_request",
    "engine_unavailable",
)
"""Every value of `reason` of REJECTIONS."""
DROP_REASONS = ("queue_full", "export_failed")
"""Every value of `reason` of SPANS_DROPPED and LOG_LINES_DROPPED."""

REQUEST_DURATION = Metric(
    "gen_ai_server_request_duration_seconds",
    "histogram",
    "Time from the arrival of a request to its last token; error_type is empty where it succeeded.",
    (*_GEN_AI, ERROR_TYPE),
    _SEMCONV,
    (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68),
)
TIME_TO_FIRST_TOKEN = Metric(
    "gen_ai_server_time_to_first_token_seconds",
    "histogram",
    "Time from the arrival of a request to its first token, queueing included.",
    _GEN_AI,
    _SEMCONV,
    (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80),
)
TIME_PER_OUTPUT_TOKEN = Metric(
    "gen_ai_server_time_per_output_token_seconds",
    "histogram",
    "Mean time per token after the first, one observation a request; hides single stalls.",
    _GEN_AI,
    _SEMCONV,
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5),
)

HTTP_REQUEST_DURATION = Metric(
    "http_server_request_duration_seconds",
    "histogram",
    "Time from the arrival of an HTTP request to the last byte of its answer, as fast as its client reads.",
    ("http_request_method", "http_route", "http_response_status_code", "url_scheme", ERROR_TYPE),
    "OpenTelemetry semantic conventions, HTTP metrics; the last buckets are ours, for long answers",
    (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80),
)

QUEUE_TIME = Metric(
    "llm_queue_time_seconds",
    "histogram",
    "Time from the arrival of a request to its place in the batch; requests that never got one are not in it.",
    (MODEL,),
    buckets=(
        *(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3),
        *(0.5, 0.75, 1, 2.5, 5, 10, 20, 40, 80),
    ),
)
INTER_TOKEN_LATENCY = Metric(
    "llm_inter_token_latency_seconds",
    "histogram",
    "Time between two tokens of one answer, every gap of every request that ended, failed or not.",
    (MODEL,),
    buckets=(
        *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
        *(0.4, 0.5, 0.75, 1, 2.5, 5, 10, 20),
    ),
)
STEP_TIME = Metric(
    "llm_engine_step_time_seconds",
    "histogram",
    "Time that a turn of the engine's loop worked, for turns that had work.",
    (MODEL,),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10),
)
BATCH_SIZE = Metric(
    "llm_batch_size",
    "histogram",
    "Sequences that were in the batch, for turns of the engine's loop that had work.",
    (MODEL,),
    buckets=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024),
)

RUNNING = Metric("llm_requests_running", "gauge", "Requests in the batch now.", (MODEL,))
WAITING = Metric("llm_requests_waiting", "gauge", "Requests that are admitted but not yet in the batch.", (MODEL,))
PROMPT_TOKENS = Metric(
    "llm_prompt_tokens_total",
    "counter",
    "Prompt tokens that were prefilled, counted as they are.",
    (MODEL,),
)
GENERATED_TOKENS = Metric(
    "llm_generated_tokens_total",
    "counter",
    "Tokens that were generated, counted as they are.",
    (MODEL,),
)
ENGINE_STEPS = Metric(
    "llm_engine_steps_total",
    "counter",
    "Turns of the engine's loop: the heartbeat, which ticks at least once a second even when idle.",
    (MODEL,),
)
ENGINE_RESTARTS = Metric(
    "llm_engine_restarts_total",
    "counter",
    "Times that the engine died and was started again inside the living process.",
    (MODEL,),
)
REQUEST_ERRORS = Metric(
    "llm_request_errors_total",
    "counter",
    "Requests that failed, a stream that broke after its first byte included.",
    (MODEL, ERROR_TYPE),
)
REQUESTS = Metric(
    "llm_requests_total",
    "counter",
    "Requests that ended, each once; error_type is empty where it succeeded.",
    (MODEL, OUTCOME, ERROR_TYPE),
)
WITHOUT_FIRST_TOKEN = Metric(
    "llm_requests_without_first_token_total",
    "counter",
    "Requests that ended before their first token, which the histogram of that time cannot hold: count them as slow.",
    (MODEL, OUTCOME, ERROR_TYPE),
)
REJECTIONS = Metric(
    "llm_requests_rejected_total",
    "counter",
    "Requests that were refused before they came into the queue.",
    (MODEL, REASON),
)
CANCELLATIONS = Metric(
    "llm_requests_cancelled_total",
    "counter",
    "Requests whose client left before the end of the answer, by where they were.",
    (MODEL, PHASE),
)
PREEMPTIONS = Metric(
    "llm_preemptions_total",
    "counter",
    "Times that a running request lost its place in the KV cache and had to be read again.",
    (MODEL,),
)
KV_CACHE_CAPACITY = Metric(
    "llm_kv_cache_capacity_tokens",
    "gauge",
    "Tokens that the KV cache can hold; absent while no model is loaded.",
    (MODEL,),
)
KV_CACHE_USAGE = Metric(
    "llm_kv_cache_usage_ratio",
    "gauge",
    "Share of the KV cache that is taken, 0 to 1; absent while no model is loaded.",
    (MODEL,),
)
MODEL_LOADED = Metric(
    "llm_model_loaded",
    "gauge",
    "Whether the model is in memory and can be stepped (1) or not (0).",
    (MODEL,),
)
BUILD_INFO = Metric(
    "llm_build_info",
    "info",
    "What runs here: a new value in any label means that something was deployed. The fingerprint, of weights and model "
    "configuration, is empty until a model was loaded.",
    (VERSION, MODEL, CONFIG_HASH, FINGERPRINT),
)
GPU_INFO = Metric(
    "llm_engine_gpu_info",
    "info",
    "A GPU that the engine computes on, as the setting GPU_UUIDS says; absent where it says nothing.",
    (UUID,),
)
SPANS_DROPPED = Metric(
    "llm_telemetry_spans_dropped_total",
    "counter",
    "Spans that were lost on the way to the collector; absent where no collector is set.",
    (REASON,),
    "OpenTelemetry SDK: otel.sdk.processor.span.processed with an error.type, and batches whose export failed",
)
LOG_LINES_DROPPED = Metric(
    "llm_telemetry_log_lines_dropped_total",
    "counter",
    "Log lines that were lost on the way to the collector; absent where none are sent.",
    (REASON,),
    "OpenTelemetry SDK: otel.sdk.processor.log.processed with an error.type, and batches whose export failed",
)

METRICS = (
    REQUEST_DURATION,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    HTTP_REQUEST_DURATION,
    QUEUE_TIME,
    INTER_TOKEN_LATENCY,
    STEP_TIME,
    BATCH_SIZE,
    RUNNING,
    WAITING,
    PROMPT_TOKENS,
    GENERATED_TOKENS,
    ENGINE_STEPS,
    ENGINE_RESTARTS,
    REQUESTS,
    REQUEST_ERRORS,
    WITHOUT_FIRST_TOKEN,
    REJECTIONS,
    CANCELLATIONS,
    PREEMPTIONS,
    KV_CACHE_CAPACITY,
    KV_CACHE_USAGE,
    MODEL_LOADED,
    BUILD_INFO,
    GPU_INFO,
    SPANS_DROPPED,
    LOG_LINES_DROPPED,
)
