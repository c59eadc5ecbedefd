"""Log lines: JSON with the trace they belong to, written by a thread of their own.

A reader of our stderr that stands still must not stop the service: what does not fit into the queue is dropped.
"""

import json
import logging
import queue
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Literal, TextIO

from inference.telemetry.ended import Trace

TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""Of the request that this code works for."""
_QUEUE_LINES = 10_000
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(shown_fields)s"


class Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "trace_ids", {}),
            **getattr(record, "fields", {}),
        }
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


class _Text(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {}) | getattr(record, "trace_ids", {})
        record.shown_fields = "".join(f" {name}={value}" for name, value in fields.items())
        return super().format(record)


class _Sending(QueueHandler):
    """Notes the trace, which only the calling thread knows, and never waits."""

    def __init__(self, lines: "queue.Queue[logging.LogRecord | None]") -> None:
        super().__init__(lines)
        self._lost = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if trace := TRACE.get():
            record.trace_ids = {"trace_id": trace.trace_id, "span_id": trace.span_id}
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._lost:
                record.fields = getattr(record, "fields", {}) | {"lost_lines": self._lost}
            self.queue.put_nowait(record)
            self._lost = 0
        except queue.Full:
            self._lost += 1


class _Writing(QueueListener):
    """Ends after the lines that wait, also where the queue is full."""

    def __init__(self, lines: "queue.Queue[logging.LogRecord | None]", *handlers: logging.Handler) -> None:
        super().__init__(lines, *handlers)
        self._lines = lines

    def enqueue_sentinel(self) -> None:
        self._lines.put(None)


class LogThread:
    """Writes log lines until it is closed.

    Args:
        form: json, text, or auto: text where the stream is a terminal.
        stream: Where to.
        beside: Gets each line before the stream does; must not wait.
    """

    def __init__(
        self, form: Literal["auto", "json", "text"], stream: TextIO, beside: logging.Handler | None = None
    ) -> None:
        lines: queue.Queue[logging.LogRecord | None] = queue.Queue(_QUEUE_LINES)
        writing = logging.StreamHandler(stream)
        for_people = stream.isatty() if form == "auto" else form == "text"
        writing.setFormatter(_Text(_TEXT) if for_people else Json())
        self.handler: logging.Handler = _Sending(lines)
        """For loggers."""
        self._listener = _Writing(lines, *([beside] if beside else []), writing)
        self._listener.start()
        self._closing = threading.Thread(target=self._listener.stop, daemon=True)

    def close(self, seconds: float) -> bool:
        """Write what is left; whether that was possible in so long."""
        if self._closing.ident is None:
            self._closing.start()
        self._closing.join(seconds)
        return not self._closing.is_alive()
