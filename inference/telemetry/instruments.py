"""Which OpenTelemetry instrument becomes which metric of the catalogue.

The catalogue holds the name that Prometheus sees, here stands the name that OTLP would carry; label names are
attribute names with dots for underscores.
"""

from types import MappingProxyType

from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from exporters.catalogue import llm
from exporters.catalogue.metric import Metric

OTEL_NAMES = MappingProxyType(
    {
        llm.REQUEST_DURATION.name: "gen_ai.server.request.duration",
        llm.TIME_TO_FIRST_TOKEN.name: "gen_ai.server.time_to_first_token",
        llm.TIME_PER_OUTPUT_TOKEN.name: "gen_ai.server.time_per_output_token",
        llm.HTTP_REQUEST_DURATION.name: "http.server.request.duration",
        llm.QUEUE_TIME.name: "llm.queue.time",
        llm.INTER_TOKEN_LATENCY.name: "llm.inter_token.latency",
        llm.STEP_TIME.name: "llm.engine.step.time",
        llm.BATCH_SIZE.name: "llm.batch.size",
        llm.RUNNING.name: "llm.requests.running",
        llm.WAITING.name: "llm.requests.waiting",
        llm.PROMPT_TOKENS.name: "llm.prompt.tokens",
        llm.GENERATED_TOKENS.name: "llm.generated.tokens",
        llm.ENGINE_STEPS.name: "llm.engine.steps",
        llm.ENGINE_RESTARTS.name: "llm.engine.restarts",
        llm.REQUESTS.name: "llm.requests",
        llm.REQUEST_ERRORS.name: "llm.request.errors",
        llm.WITHOUT_FIRST_TOKEN.name: "llm.requests.without_first_token",
        llm.REJECTIONS.name: "llm.requests.rejected",
        llm.CANCELLATIONS.name: "llm.requests.cancelled",
        llm.PREEMPTIONS.name: "llm.preemptions",
        llm.KV_CACHE_CAPACITY.name: "llm.kv_cache.capacity",
        llm.KV_CACHE_USAGE.name: "llm.kv_cache.usage",
        llm.MODEL_LOADED.name: "llm.model.loaded",
        llm.BUILD_INFO.name: "llm.build.info",
        llm.GPU_INFO.name: "llm.engine.gpu.info",
        llm.SPANS_DROPPED.name: "llm.telemetry.spans.dropped",
        llm.LOG_LINES_DROPPED.name: "llm.telemetry.log_lines.dropped",
    }
)
"""By the name in the catalogue; every metric of exporters/catalogue/llm.py has one."""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
URL_SCHEME = "url.scheme"

PROVIDER_NAME = "inferwatch"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
OTHER_METHOD = "_OTHER"
"""Every other method, as the convention wants it: a client can invent any."""


def method(name: str) -> str:
    """The HTTP method as an attribute, of a closed set."""
    return name if name in METHODS else OTHER_METHOD


def otel_name(metric: Metric) -> str:
    """The instrument's name."""
    return OTEL_NAMES[metric.name]


def label(attribute: str) -> str:
    """The Prometheus label that an attribute becomes."""
    return attribute.replace(".", "_")


def views() -> list[View]:
    """Histograms with the catalogue's buckets; the SDK's defaults are made for milliseconds."""
    return [
        View(instrument_name=otel_name(metric), aggregation=ExplicitBucketHistogramAggregation(metric.buckets))
        for metric in llm.METRICS
        if metric.type == "histogram"
    ]
