"""A collector of our own, which decodes what it gets, and requests to record."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from exporters.catalogue.metric import Metric
from inference.engine.generation import Prompt, Timeline
from inference.telemetry.ended import EndedRequest, Exchange


@dataclass
class Collector:
    """An OTLP/HTTP receiver on a free port."""

    status: int = 200
    hangs: bool = False
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.resources.append(values(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> Span:
        (span,) = [span for span in self.spans if span.name == name]
        return span


def values(attributes: Any) -> dict[str, Any]:
    """OTLP's attributes as a dictionary."""

    def plain(value: Any) -> Any:
        kind = value.WhichOneof("value")
        return [plain(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)

    return {attribute.key: plain(attribute.value) for attribute in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything, until a test lets it do otherwise."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.hangs:
                collector.over.wait(60)
                return
            if collector.status == 200:
                collector.take(body)
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    yield collector
    collector.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def attributes_of():
    return values


class Making:
    """Requests as the API would hand them over; all came at 100 s of the clock, which was second 1000 of the epoch."""

    @staticmethod
    def timeline(admitted: float | None = None, tokens: tuple[float, ...] = (), **more: Any) -> Timeline:
        """Times are seconds after the arrival."""
        return Timeline(
            100.0, None if admitted is None else 100.0 + admitted, [100.0 + token for token in tokens], **more
        )

    def generation(self, error_type: str = "", ended: float = 1.0, **more: Any) -> EndedRequest:
        """What became of a request for a chat; `model` and all else can be had otherwise."""
        return EndedRequest(
            **{
                "operation": "chat",
                "model": "m",
                "error_type": error_type,
                "timeline": self.timeline(),
                "ended": 100.0 + ended,
            }
            | more
        )

    def exchange(self, generation: EndedRequest | None = None, status: int = 200, **more: Any) -> Exchange:
        """An HTTP request that took a second."""
        path = "/v1/chat/completions"
        exchange = Exchange("POST", path, arrived=100.0, arrived_ns=1000 * 10**9, ended=101.0, route=path)
        exchange.status, exchange.generation = status, generation
        for name, value in more.items():
            setattr(exchange, name, value)
        return exchange

    def ended(self, recorder: Any, *args: Any, headers: dict[bytes, bytes] | None = None, **more: Any) -> Exchange:
        """Record a request from its begin to its end."""
        exchange = self.exchange(self.generation(*args, **more))
        exchange.trace = recorder.began(exchange, headers or {})
        recorder.ended(exchange)
        return exchange

    prompt = Prompt((1, 2, 3), max_tokens=16, temperature=0.0, seed=7)

    @staticmethod
    def until(holds: Any, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "the expected state did not come in time"
            time.sleep(0.02)


@pytest.fixture
def making() -> Making:
    return Making()


@pytest.fixture
def values_of():
    """Read values from a page of metrics."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    def read(recorder: Any, name: Metric | str, **wanted: str) -> list[float]:
        content, _ = recorder.render("application/openmetrics-text; version=1.0.0")
        return [
            one.value
            for family in text_string_to_metric_families(content.decode())
            for one in family.samples
            if one.name == str(name) and wanted.items() <= one.labels.items()
        ]

    return read
