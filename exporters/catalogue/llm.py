"""Every metric of the reference inference service.

`gen_ai_server_*` are OpenTelemetry's GenAI server metrics under their standard names; `llm_*` is what that
convention lacks. The bucket ladders are the convention's, made finer at the bottom (small models) and
longer at the top (overload); objectives must sit on an edge.
"""

from exporters.catalogue.labels import ERROR_TYPE, MODEL
from exporters.catalogue.metric import Metric

_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_SEMCONV = "OpenTelemetry semantic conventions, GenAI metrics"

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
REQUEST_ERRORS = Metric(
    "llm_request_errors_total",
    "counter",
    "Requests that failed, a stream that broke after its first byte included.",
    (MODEL, ERROR_TYPE),
)
MODEL_LOADED = Metric(
    "llm_model_loaded",
    "gauge",
    "Whether the model is in memory and can be stepped (1) or not (0).",
    (MODEL,),
)

METRICS = (
    REQUEST_DURATION,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    RUNNING,
    WAITING,
    PROMPT_TOKENS,
    GENERATED_TOKENS,
    ENGINE_STEPS,
    REQUEST_ERRORS,
    MODEL_LOADED,
)
