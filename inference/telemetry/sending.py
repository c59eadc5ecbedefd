"""Spans on their way to a collector: in batches, by a thread of their own; what is lost is counted."""

import logging
import os
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from inference.telemetry.instruments import ERROR_TYPE

_log = logging.getLogger(__name__)


class Sending:
    """The SDK's batch processor and exporter, and what became of their spans.

    Args:
        collector: Base URL of an OTLP/HTTP collector. How it is spoken to (headers, certificates, time limit, queue)
            is OpenTelemetry's own environment, OTEL_EXPORTER_OTLP_* and OTEL_BSP_*.
    """

    def __init__(self, collector: str) -> None:
        # Without it the SDK does not count what its queue drops. Into a reader of its own, which the scrape reads: such
        # a number must not travel the way that is broken.
        os.environ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"] = "true"
        self._about_queue = InMemoryMetricReader()
        meters = MeterProvider([self._about_queue], shutdown_on_exit=False)
        self._exporter = _Counted(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces"))
        self.processor = BatchSpanProcessor(self._exporter, meter_provider=meters)

    def dropped(self) -> dict[str, int]:
        """Spans that were lost so far, by llm.DROP_REASONS."""
        return {"queue_full": self._refused_by_queue(), "export_failed": self._exporter.failed}

    def close(self, seconds: float) -> None:
        """Send what is left, for at most so long: the SDK itself would wait for 30 s."""
        flushing = threading.Thread(target=self.processor.shutdown, name="flush", daemon=True)
        flushing.start()
        flushing.join(seconds)
        if flushing.is_alive():
            _log.warning("the collector did not take the last spans within %g s; they are lost", seconds)

    def _refused_by_queue(self) -> int:
        data = self._about_queue.get_metrics_data()
        return sum(
            int(point.value)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "otel.sdk.processor.span.processed"
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint) and (point.attributes or {}).get(ERROR_TYPE)
        )


class _Counted(SpanExporter):
    """Counts the spans of batches that failed: the SDK's own metric takes a batch refused by status for exported."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)
