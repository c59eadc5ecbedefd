"""Requests in numbers, recorded once each, when they end. Label values that a client can choose fold into one."""

from itertools import pairwise

from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.trace import get_current_span

from exporters.catalogue import labels, llm
from exporters.catalogue.metric import Metric
from inference.telemetry.ended import OPERATIONS, EndedRequest, Exchange
from inference.telemetry.exposition import Labels, exemplar
from inference.telemetry.instruments import (
    ERROR_TYPE,
    HTTP_METHOD,
    HTTP_ROUTE,
    HTTP_STATUS,
    OPERATION,
    PROVIDER,
    PROVIDER_NAME,
    REQUEST_MODEL,
    URL_SCHEME,
    method,
    otel_name,
)
from inference.telemetry.tally import Tally

OTHER_MODEL = "other"
"""Every model name that is not served."""
_MODEL, _OUTCOME, _REASON, _PHASE = labels.MODEL, labels.OUTCOME, labels.REASON, labels.PHASE


class RequestMetrics:
    """What is counted of requests.

    Args:
        meter: Makes the instruments.
        model: The served model's name: besides `other` the only value of model labels.
    """

    def __init__(self, meter: Meter, model: str) -> None:
        self._meter = meter
        self._model = model
        self.gaps = Tally(llm.INTER_TOKEN_LATENCY.buckets)
        """Times between tokens, too many for an OpenTelemetry call each."""
        self._duration, self._first_token, self._per_token, self._queue, self._http = (
            self._histogram(metric)
            for metric in (
                llm.REQUEST_DURATION,
                llm.TIME_TO_FIRST_TOKEN,
                llm.TIME_PER_OUTPUT_TOKEN,
                llm.QUEUE_TIME,
                llm.HTTP_REQUEST_DURATION,
            )
        )
        self._requests, self._errors, self._without, self._rejected, self._cancelled = (
            self._counter(metric)
            for metric in (
                llm.REQUESTS,
                llm.REQUEST_ERRORS,
                llm.WITHOUT_FIRST_TOKEN,
                llm.REJECTIONS,
                llm.CANCELLATIONS,
            )
        )
        self._start_at_zero()

    def ended(self, exchange: Exchange, context: Context | None) -> None:
        """Record a request.

        Args:
            exchange: The request.
            context: Holds the request's span, whose trace becomes the exemplar; None where it has none.
        """
        http: dict[str, str | int] = {
            HTTP_METHOD: method(exchange.method),
            HTTP_ROUTE: exchange.route,
            HTTP_STATUS: exchange.status,
            URL_SCHEME: "http",
            ERROR_TYPE: exchange.error_type,
        }
        self._http.record(exchange.ended - exchange.arrived, http, context)
        if exchange.generation:
            self._generated(exchange.generation, context)

    def expected(self) -> dict[str, list[Labels]]:
        """Histogram series that are known before their first observation."""
        series = [(operation, PROVIDER_NAME, self._model) for operation in OPERATIONS]
        return {
            llm.REQUEST_DURATION.name: [(*values, "") for values in series],
            llm.TIME_TO_FIRST_TOKEN.name: list(series),
            llm.TIME_PER_OUTPUT_TOKEN.name: list(series),
            llm.QUEUE_TIME.name: [(self._model,)],
        }

    def _generated(self, request: EndedRequest, context: Context | None) -> None:
        model = request.model if request.model == self._model else OTHER_MODEL
        attributes = {OPERATION: request.operation, PROVIDER: PROVIDER_NAME, REQUEST_MODEL: model}
        self._duration.record(request.duration, attributes | {ERROR_TYPE: request.error_type}, context)
        if request.queue_time is not None:
            self._queue.record(request.queue_time, {_MODEL: model}, context)
        if request.first_token is not None:
            self._first_token.record(request.first_token, attributes, context)
        if not request.error_type and request.per_output_token is not None:
            self._per_token.record(request.per_output_token, attributes, context)
        self._count(request, model)
        self._gaps(request, context)

    def _count(self, request: EndedRequest, model: str) -> None:
        ended = _ended(model, request.error_type)
        self._requests.add(1, ended)
        if not request.error_type:
            return
        self._errors.add(1, {_MODEL: model, ERROR_TYPE: request.error_type})
        if request.first_token is None:
            self._without.add(1, ended)
        if request.rejection:
            self._rejected.add(1, {_MODEL: model, _REASON: request.rejection})
        elif request.error_type == "client_disconnect" and request.prompt:
            self._cancelled.add(1, {_MODEL: model, _PHASE: request.phase})

    def _gaps(self, request: EndedRequest, context: Context | None) -> None:
        gaps = [after - before for before, after in pairwise(request.timeline.tokens)]
        self.gaps.add_all(gaps)
        span = get_current_span(context).get_span_context()
        if gaps and span.trace_flags.sampled:
            self.gaps.mark(exemplar(max(gaps), span.trace_id, span.span_id))

    def _start_at_zero(self) -> None:
        """A counter that appears with its first event shows no increase for it."""
        for error_type in ("", *labels.ERROR_TYPES):
            self._requests.add(0, _ended(self._model, error_type))
        for error_type in labels.ERROR_TYPES:
            self._errors.add(0, {_MODEL: self._model, ERROR_TYPE: error_type})
            self._without.add(0, _ended(self._model, error_type))
        # Before its body was read, a request has no model that we know.
        for error_type in ("client_disconnect", "invalid_request", "rate_limited", "unauthorized"):
            self._requests.add(0, _ended(OTHER_MODEL, error_type))
            self._errors.add(0, {_MODEL: OTHER_MODEL, ERROR_TYPE: error_type})
        for reason in llm.REJECTION_REASONS:
            self._rejected.add(0, {_MODEL: self._model, _REASON: reason})
            self._rejected.add(0, {_MODEL: OTHER_MODEL, _REASON: reason})
        for phase in labels.PHASES:
            self._cancelled.add(0, {_MODEL: self._model, _PHASE: phase})

    def _histogram(self, metric: Metric) -> Histogram:
        return self._meter.create_histogram(otel_name(metric), unit="s", description=metric.help)

    def _counter(self, metric: Metric) -> Counter:
        return self._meter.create_counter(otel_name(metric), unit="{request}", description=metric.help)


def _ended(model: str, error_type: str) -> dict[str, str]:
    return {_MODEL: model, _OUTCOME: labels.outcome(error_type), ERROR_TYPE: error_type}
