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
        llm.RUNNING.name: "llm.requests.running",
        llm.WAITING.name: "llm.requests.waiting",
        llm.PROMPT_TOKENS.name: "llm.prompt.tokens",
        llm.GENERATED_TOKENS.name: "llm.generated.tokens",
        llm.ENGINE_STEPS.name: "llm.engine.steps",
        llm.REQUEST_ERRORS.name: "llm.request.errors",
        llm.MODEL_LOADED.name: "llm.model.loaded",
    }
)
"""By the name in the catalogue; every metric of exporters/catalogue/llm.py has one."""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
ERROR_TYPE = "error.type"
MODEL = "model"


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
