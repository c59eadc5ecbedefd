"""Traces: one span for the HTTP request, made when it comes because others need its id, and the rest when it ends.

    POST /v1/chat/completions        SERVER
      chat {model}                   INTERNAL
        queue, prefill, decode       INTERNAL, by the engine's own times

Nothing is sent unless OTEL_EXPORTER_OTLP_ENDPOINT is set; ids exist all the same, for logs and exemplars.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from exporters.catalogue import labels
from inference.telemetry.ended import Exchange
from inference.telemetry.instruments import ERROR_TYPE, HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, URL_SCHEME, method
from inference.telemetry.phases import PhaseSpans

if TYPE_CHECKING:
    from inference.telemetry.sending import Sending

_log = logging.getLogger(__name__)

OPERATORS = frozenset({"/health", "/ready", "/metrics"})
"""Paths without spans: they come every few seconds and say nothing."""
_PATH_LENGTH = 200
"""A client can send a path of 64 KiB."""


@dataclass(frozen=True, slots=True)
class SpanTrace:
    """A request's span."""

    span: Span

    @property
    def trace_id(self) -> str:
        """In hexadecimal digits."""
        return format_trace_id(self.span.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """In hexadecimal digits."""
        return format_span_id(self.span.get_span_context().span_id)

    @property
    def context(self) -> Context:
        """For whatever is recorded of this request."""
        return set_span_in_context(self.span)


class Tracing:
    """Makes spans and sends them.

    Args:
        model: The served model's name.
        version: Of the service.
        gpus: UUIDs of the GPUs that the engine computes on.
        collector: Base URL of the OTLP/HTTP collector that gets the spans; None to send none.
    """

    def __init__(self, model: str, version: str, gpus: Sequence[str], collector: str | None) -> None:
        self._provider = TracerProvider(resource=resource(version), shutdown_on_exit=False)
        self._sending = _sending(collector) if collector else None
        if self._sending:
            self._provider.add_span_processor(self._sending.processor)
        self._tracer = self._provider.get_tracer("inference")
        self._phases = PhaseSpans(self._tracer, model, gpus)
        # W3C's trace context alone: baggage would be a client's words in our telemetry.
        self._propagator = TraceContextTextMapPropagator()

    def began(self, exchange: Exchange, headers: Mapping[bytes, bytes]) -> SpanTrace | None:
        """Open the request's span as a child of what the client sent; None for an operator's request."""
        if exchange.path in OPERATORS:
            return None
        carrier = {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
        attributes = {
            HTTP_METHOD: method(exchange.method),
            "url.path": exchange.path[:_PATH_LENGTH],
            URL_SCHEME: "http",
        }
        parent = self._propagator.extract(carrier, Context())
        name = attributes[HTTP_METHOD]
        return SpanTrace(self._tracer.start_span(name, parent, SpanKind.SERVER, attributes, (), exchange.arrived_ns))

    def ended(self, exchange: Exchange, trace: SpanTrace) -> None:
        """Close the request's span and make those below it."""
        span = trace.span
        if not span.is_recording():
            return
        if exchange.generation:
            # Tied where the request came in, so that no jump of the wall clock tears its spans apart.
            offset = exchange.arrived_ns - round(exchange.arrived * 1e9)
            self._phases.make(exchange.generation, trace.context, offset)
        if exchange.route:
            span.update_name(f"{method(exchange.method)} {exchange.route}")
            span.set_attribute(HTTP_ROUTE, exchange.route)
        span.set_attribute(HTTP_STATUS, exchange.status)
        if error_type := exchange.error_type:
            span.set_attribute(ERROR_TYPE, error_type)
            if labels.outcome(error_type) == "failed":
                span.set_status(StatusCode.ERROR)
        span.end(exchange.arrived_ns + round((exchange.ended - exchange.arrived) * 1e9))

    def dropped(self) -> dict[str, int]:
        """Spans that were lost so far, by llm.DROP_REASONS; empty where none are sent."""
        return self._sending.dropped() if self._sending else {}

    def close(self, seconds: float) -> None:
        """Send what is left, for at most so long."""
        if self._sending and not self._sending.close(seconds):
            _log.warning("the collector did not take the last spans within %g s; they are lost", seconds)


def resource(version: str) -> Resource:
    """Who sends: this version of the service, and what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say instead."""
    ours = {"service.name": "inferwatch-inference", "service.version": version}
    return Resource.create(ours | dict(OTELResourceDetector().detect().attributes))


def _sending(collector: str) -> "Sending":
    # Late: an installation without a collector loads none of it.
    from inference.telemetry.sending import spans_to

    return spans_to(collector)
