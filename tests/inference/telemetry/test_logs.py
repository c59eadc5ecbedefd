"""Log lines: what stands in them, and that nobody waits for whoever reads them."""

import io
import json
import logging
import os
import threading
import time
from dataclasses import dataclass

import pytest

from inference.telemetry.logs import TRACE, LogThread


@dataclass
class Trace:
    """Where a request is."""

    trace_id: str = "aa"
    span_id: str = "bb"


def logger_to(logs):
    logger = logging.Logger("test")  # noqa: LOG001 - nobody else may hear it
    logger.addHandler(logs.handler)
    return logger


@pytest.fixture
def written():
    """Log something, and what was written of it."""

    def write(form, log):
        stream = io.StringIO()
        logs = LogThread(form, stream)
        log(logger_to(logs))
        assert logs.close(5)
        return stream.getvalue()

    return write


def test_a_line_is_json_with_its_fields_and_the_trace_of_the_code_that_wrote_it(written):
    def log(logger):
        token = TRACE.set(Trace())
        logger.warning("took %d s", 3, extra={"fields": {"route": "/v1/models"}})
        TRACE.reset(token)
        logger.info("later")

    first, second = map(json.loads, written("json", log).splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "warning",
        "logger": "test",
        "message": "took 3 s",
        "trace_id": "aa",
        "span_id": "bb",
        "route": "/v1/models",
    }
    assert "trace_id" not in second


def test_an_error_and_a_message_of_many_lines_stay_one_line(written):
    def log(logger):
        try:
            raise ValueError("bad\nthing")
        except ValueError:
            logger.exception("two\nlines")

    (line,) = written("json", log).splitlines()
    assert json.loads(line)["message"] == "two\nlines"
    assert "ValueError: bad" in json.loads(line)["exception"]


def test_for_people_it_is_text(written):
    text = written("text", lambda logger: logger.info("hello", extra={"fields": {"status": 200}}))
    assert text.endswith(" INFO test: hello status=200\n")
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


@pytest.fixture
def unread():
    """A log of 12,000 lines into a pipe that nobody has read yet: the thread, the logger and the pipe's other end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as reader:
        logs = LogThread("json", stream)
        logger = logger_to(logs)
        began = time.monotonic()
        for _ in range(12_000):
            logger.info("x" * 100)
        assert time.monotonic() - began < 10
        yield logs, logger, reader
        draining = threading.Thread(target=reader.read)
        draining.start()
        assert logs.close(10)
        stream.close()
        draining.join()


def test_nobody_waits_for_a_reader_that_stands_still_and_what_is_lost_is_told(unread):
    _, logger, reader = unread
    lines = [json.loads(reader.readline()) for _ in range(9_000)]
    logger.info("again")
    while lines[-1]["message"] != "again":
        lines.append(json.loads(reader.readline()))
    assert 0 < lines[-1]["lost_lines"] <= 2_000
    assert len(lines) - 1 + sum(line.get("lost_lines", 0) for line in lines) == 12_000


def test_the_end_does_not_wait_for_a_reader_either(unread):
    logs, _, _ = unread
    began = time.monotonic()
    assert not logs.close(0.1)
    assert time.monotonic() - began < 2
