"""Spans and log lines on their way to a collector: in batches, by a thread of their own; what is lost is counted."""

import os
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from inference.telemetry.instruments import ERROR_TYPE

_PROCESSED = frozenset({"otel.sdk.processor.span.processed", "otel.sdk.processor.log.processed"})


class MakeProcessor(Protocol):
    """One of the SDK's batch processors."""

    def __call__(self, exporter: Any, /, *, meter_provider: MeterProvider) -> Any:  # noqa: ANN401 - of spans or of logs
        """It, with its thread running."""


class Sending:
    """A batch processor of the SDK, its exporter, and what became of what they were given.

    Args:
        make_processor: Of spans or of log records. Its limits are OpenTelemetry's own environment: OTEL_BSP_* and
            OTEL_BLRP_*.
        exporter: Sends a batch, or says that it could not.
    """

    def __init__(self, make_processor: MakeProcessor, exporter: Any) -> None:  # noqa: ANN401 - as above
        # Without it the SDK does not count what its queue drops. Into a reader of its own, which the scrape reads: such
        # a number must not travel the way that is broken.
        os.environ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"] = "true"
        self._about_queue = InMemoryMetricReader()
        meters = MeterProvider([self._about_queue], shutdown_on_exit=False)
        self._exporter = _Counted(exporter)
        self.processor = make_processor(self._exporter, meter_provider=meters)

    def dropped(self) -> dict[str, int]:
        """What was lost so far, by llm.DROP_REASONS."""
        return {"queue_full": self._refused_by_queue(), "export_failed": self._exporter.failed}

    def close(self, seconds: float) -> bool:
        """Send what is left, for at most so long (the SDK itself would wait for 30 s); whether that was enough."""
        flushing = threading.Thread(target=self.processor.shutdown, name="flush", daemon=True)
        flushing.start()
        flushing.join(seconds)
        return not flushing.is_alive()

    def _refused_by_queue(self) -> int:
        data = self._about_queue.get_metrics_data()
        return sum(
            int(point.value)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name in _PROCESSED
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint) and (point.attributes or {}).get(ERROR_TYPE)
        )


def spans_to(collector: str) -> Sending:
    """Sends spans to the OTLP/HTTP collector at a base URL.

    How it is spoken to (headers, certificates, time limit) is OpenTelemetry's own environment, OTEL_EXPORTER_OTLP_*.
    """
    return Sending(BatchSpanProcessor, OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces"))


class _Counted:
    """Counts what was in batches that failed: the SDK's own metric takes a batch refused by status for exported."""

    def __init__(self, exporter: Any) -> None:  # noqa: ANN401 - of spans or of log records
        self._exporter = exporter
        self.failed = 0

    def export(self, batch: Sequence[object]) -> Any:  # noqa: ANN401 - the exporter's own kind of result
        result = None
        try:
            result = self._exporter.export(batch)
        finally:
            if result is None or result.name != "SUCCESS":
                self.failed += len(batch)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))
