"""Log lines as a collector receives them, and what happens where it does not."""

import io
import logging
import time
from dataclasses import dataclass

import pytest

from inference.telemetry.logs import TRACE, LogThread
from inference.telemetry.shipping import LogShipping


@dataclass
class Trace:
    """Where a request is."""

    trace_id: str = "0af7651916cd43dd8448eb211c80319c"
    span_id: str = "b7ad6b7169203331"


class Shipped:
    """A log that also goes to a collector."""

    def __init__(self, url: str) -> None:
        self.shipping = LogShipping(url, "1.2")
        self.stderr = io.StringIO()
        self.thread = LogThread("json", self.stderr, self.shipping.handler)
        self.logger = logging.Logger("test")  # noqa: LOG001 - nobody else may hear it
        self.logger.addHandler(self.thread.handler)

    def close(self, seconds: float) -> bool:
        assert self.thread.close(5)
        return self.shipping.close(seconds)


@pytest.fixture
def shipped(collector):
    return Shipped(collector.url)


def test_a_line_arrives_with_its_fields_and_the_trace_of_the_code_that_wrote_it(shipped, collector):
    token = TRACE.set(Trace())
    shipped.logger.warning("took %d s", 3, extra={"fields": {"route": "/v1/models", "status": 200}})
    TRACE.reset(token)
    shipped.logger.info("later")
    assert shipped.close(5)
    first, second = collector.lines
    assert (first.body.string_value, first.severity_text) == ("took 3 s", "warning")
    assert first.severity_number == 13
    assert collector.values(first.attributes) == {"route": "/v1/models", "status": 200}
    assert (first.trace_id.hex(), first.span_id.hex()) == (Trace.trace_id, Trace.span_id)
    assert (second.trace_id, second.span_id) == (b"", b"")
    assert abs(first.time_unix_nano / 1e9 - time.time()) < 60
    assert collector.loggers == ["test", "test"]
    assert collector.resources[0]["service.name"] == "inferwatch-inference"
    assert collector.resources[0]["service.version"] == "1.2"


def test_an_error_arrives_with_its_trace_back(shipped, collector):
    try:
        raise ValueError("bad")
    except ValueError:
        shipped.logger.exception("failed")
    assert shipped.close(5)
    (line,) = collector.lines
    assert "ValueError: bad" in collector.values(line.attributes)["exception.stacktrace"]


def test_lines_that_the_collector_refuses_are_counted_and_stand_on_stderr(shipped, collector):
    collector.status = 400
    for _ in range(5):
        shipped.logger.info("hello")
    assert shipped.close(5)
    assert shipped.shipping.dropped() == {"queue_full": 0, "export_failed": 5}
    assert collector.lines == []
    assert shipped.stderr.getvalue().count("hello") == 5


def test_that_a_batch_could_not_be_sent_is_not_the_next_batch(monkeypatch):
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1")
    shipped = Shipped("http://127.0.0.1:1")
    root = logging.getLogger()
    root.addHandler(shipped.thread.handler)
    try:
        shipped.logger.info("hello")
        end = time.monotonic() + 10
        while shipped.shipping.dropped()["export_failed"] == 0 and time.monotonic() < end:
            time.sleep(0.05)
        assert shipped.close(5)
    finally:
        root.removeHandler(shipped.thread.handler)
    assert shipped.shipping.dropped() == {"queue_full": 0, "export_failed": 1}
    assert '"logger":"opentelemetry.' in shipped.stderr.getvalue()


def test_lines_that_find_the_queue_full_are_counted_and_cost_no_time(monkeypatch, collector):
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "8")
    collector.hangs = True
    shipped = Shipped(collector.url)
    began = time.monotonic()
    for _ in range(100):
        shipped.logger.info("hello")
    assert time.monotonic() - began < 1
    assert shipped.thread.close(5)
    # Of 100 lines, 8 wait and up to 16 are on their way.
    assert 76 <= shipped.shipping.dropped()["queue_full"] <= 92
    assert shipped.stderr.getvalue().count("hello") == 100


def test_the_end_does_not_wait_for_a_collector_that_hangs(shipped, collector):
    collector.hangs = True
    shipped.logger.info("hello")
    began = time.monotonic()
    assert not shipped.close(0.3)
    assert time.monotonic() - began < 2
