"""Log lines to a collector, beside those on stderr: OTEL_LOGS_EXPORTER=otlp.

The only file that imports OpenTelemetry's part for logs, which is not stable yet: its modules begin with `_`.
"""

import logging

from opentelemetry._logs.severity import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from inference.telemetry.sending import Sending
from inference.telemetry.tracing import resource

_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class LogShipping:
    """Sends what its handler is given.

    Args:
        collector: Base URL of an OTLP/HTTP collector.
        version: Of the service.
    """

    def __init__(self, collector: str, version: str) -> None:
        self._sending = Sending(BatchLogRecordProcessor, OTLPLogExporter(f"{collector.rstrip('/')}/v1/logs"))
        provider = LoggerProvider(resource(version), shutdown_on_exit=False)
        provider.add_log_record_processor(self._sending.processor)
        self.handler: logging.Handler = _Handing(provider)
        """Takes records as the log's thread has prepared them; waits for nothing."""

    def dropped(self) -> dict[str, int]:
        """Lines that were lost so far, by llm.DROP_REASONS."""
        return self._sending.dropped()

    def close(self, seconds: float) -> bool:
        """Send what is left, for at most so long; whether that was enough."""
        return self._sending.close(seconds)


class _Handing(logging.Handler):
    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("opentelemetry"):
            # That a batch could not be sent must not become the next batch. It stands on stderr.
            return
        exception = {"exception.stacktrace": record.exc_text} if record.exc_text else {}
        self._provider.get_logger(record.name).emit(
            timestamp=round(record.created * 1e9),
            context=_context(getattr(record, "trace_ids", {})),
            severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.UNSPECIFIED),
            severity_text=record.levelname.lower(),
            body=record.getMessage(),
            attributes=getattr(record, "fields", {}) | exception,
        )


def _context(trace: dict[str, str]) -> Context | None:
    """The trace that a line belongs to; None for none, as the log's thread works for no request."""
    if not trace:
        return None
    ids = SpanContext(int(trace["trace_id"], 16), int(trace["span_id"], 16), False, TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(ids), Context())
