"""The audit log: who asked for what and when, without a word of what was said. Kept for so many days, and no longer."""

import json
import logging
import os
import re
from datetime import UTC, datetime, timedelta
from io import FileIO, TextIOWrapper
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path

from inference.telemetry.ended import Exchange
from inference.telemetry.lines import facts

_AUDITED = "/v1/"


class _PrivateFile(TimedRotatingFileHandler):
    """Each of its files can be read by its owner alone. Old ones go by their date: a quiet day makes none."""

    def getFilesToDelete(self) -> list[str]:  # noqa: N802 - logging's own name
        path = Path(self.baseFilename)
        dated = re.compile(rf"{re.escape(path.name)}\.(\d{{4}}-\d{{2}}-\d{{2}})")
        oldest = f"{datetime.now(UTC) - timedelta(days=self.backupCount):%Y-%m-%d}"
        found = ((file, dated.fullmatch(file.name)) for file in path.parent.iterdir())
        return [str(file) for file, day in found if day and day[1] < oldest]

    def turn_over(self) -> None:
        """Begin a new file where the day is over."""
        if self.shouldRollover(logging.makeLogRecord({})):
            self.doRollover()

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(FileIO(descriptor, "a"), encoding="utf-8", write_through=True)


class AuditLog:
    """A file of one JSON object a request; a new file each day (UTC), the old ones beside it with their date.

    Old ones are deleted at the start and by the first request of a day, be it for /health or /metrics.

    Args:
        path: Of today's file; only its owner can read it.
        days: For how many days before today files stay.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, days: int) -> None:
        self._file = _PrivateFile(path, when="midnight", backupCount=days, utc=True, encoding="utf-8")
        self._file.setFormatter(logging.Formatter("%(message)s"))
        for old in self._file.getFilesToDelete():
            os.remove(old)

    def write(self, exchange: Exchange) -> None:
        """Note a request; those of the operator are not noted, but a day begins with them, too."""
        if not exchange.path.startswith(_AUDITED):
            self._file.turn_over()
            return
        line = {"time": datetime.fromtimestamp(exchange.arrived_ns / 1e9, UTC).isoformat(timespec="milliseconds")}
        if exchange.trace:
            line["trace_id"] = exchange.trace.trace_id
        message = json.dumps(line | facts(exchange), separators=(",", ":"))
        self._file.emit(logging.LogRecord("audit", logging.INFO, "", 0, message, (), None))

    def close(self) -> None:
        """Write no more."""
        self._file.close()
