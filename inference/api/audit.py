"""The audit log: who asked for what and when, without a word of what was said. Kept for so many days, and no longer."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path

from inference.telemetry.ended import Exchange
from inference.telemetry.lines import facts

_AUDITED = "/v1/"


class AuditLog:
    """A file of one JSON object a request; a new file each day (UTC), the old ones beside it with their date.

    Args:
        path: Of today's file; only its owner can read it.
        days: How many old files stay.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, days: int) -> None:
        path.touch(mode=0o600)
        self._file = TimedRotatingFileHandler(path, when="midnight", backupCount=days, utc=True, encoding="utf-8")
        self._file.setFormatter(logging.Formatter("%(message)s"))

    def write(self, exchange: Exchange) -> None:
        """Note a request; those of the operator are not noted."""
        if not exchange.path.startswith(_AUDITED):
            return
        line = {"time": datetime.fromtimestamp(exchange.arrived_ns / 1e9, UTC).isoformat(timespec="milliseconds")}
        if exchange.trace:
            line["trace_id"] = exchange.trace.trace_id
        message = json.dumps(line | facts(exchange), separators=(",", ":"))
        self._file.emit(logging.LogRecord("audit", logging.INFO, "", 0, message, (), None))
