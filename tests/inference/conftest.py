"""The real service as a process of its own, reached over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters.catalogue import llm
from exporters.catalogue.metric import Metric

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

GPU = "GPU-11111111-2222-3333-4444-555555555555"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


@dataclass
class Running:
    """A service process."""

    process: subprocess.Popen[str]
    log: Path
    url: str
    client: httpx.Client

    def sample(self, metric: Metric, **labels: str) -> float:
        """One value from /metrics; fails where there is not exactly one."""
        page = self.client.get("/metrics", headers=OPENMETRICS).text
        # Not by a parser of all: this is asked for a thousand times.
        mine = "\n".join(
            line for line in page.splitlines() if line.startswith((f"{metric}{{", f"# TYPE {metric.family}"))
        )
        found = [
            sample.value
            for family in text_string_to_metric_families(f"{mine}\n# EOF\n")
            for sample in family.samples
            if labels.items() <= sample.labels.items()
        ]
        assert len(found) == 1, f"{metric} {labels}: {found}"
        return found[0]

    def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        """Wait for a state; fail where it does not come."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "the expected state did not come in time"
            time.sleep(0.02)

    def idle(self) -> bool:
        """Whether no request is in the engine."""
        return self.sample(llm.RUNNING) + self.sample(llm.WAITING) == 0

    @contextmanager
    def fault(self, name: str, **strength: float) -> Iterator[None]:
        """A fault that is on inside the block."""
        assert self.client.put(f"/admin/faults/{name}", json=strength).status_code == 204
        try:
            yield
        finally:
            assert self.client.delete(f"/admin/faults/{name}").status_code == 204

    def mend(self) -> None:
        """Switch every fault off."""
        for fault in self.client.get("/admin/faults").json():
            self.client.delete(f"/admin/faults/{fault['name']}")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def start(log: Path, *flags: str, **environment: str) -> Running:
    """Start a service on a free port and wait until it is ready."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "inference", "--port", "0", *flags],
            env=os.environ | environment,
            stderr=output,
            text=True,
        )
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"http://[^\s\"]+", log.read_text()):
            client = httpx.Client(base_url=found[0], timeout=30)
            if client.get("/ready").status_code == 200:
                return Running(process, log, found[0], client)
            client.close()
        time.sleep(0.1)
    process.kill()
    process.wait()
    pytest.fail(f"the service did not become ready:\n{log.read_text()}")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Callable[..., Running]]:
    """Start services of a module's own; all have ended after it."""
    running: list[Running] = []
    logs = tmp_path_factory.mktemp("services")

    def begin(*flags: str, **environment: str) -> Running:
        running.append(start(logs / f"log{len(running)}", "--model-cache", str(model_cache), *flags, **environment))
        return running[-1]

    yield begin
    for service in running:
        service.client.close()
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait()


@dataclass
class Collector:
    """An OTLP/HTTP receiver on a free port, which decodes what it gets."""

    status: int = 200
    hangs: bool = False
    spans: list[Span] = field(default_factory=list)
    lines: list[LogRecord] = field(default_factory=list)
    loggers: list[str] = field(default_factory=list)
    """By whom each line was written."""
    resources: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, body: bytes) -> None:
        {"/v1/traces": self.take_spans, "/v1/logs": self.take_lines}[path](body)

    def take_lines(self, body: bytes) -> None:
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            self.resources.append(self.values(resource.resource.attributes))
            for scope in resource.scope_logs:
                self.lines += scope.log_records
                self.loggers += [scope.scope.name] * len(scope.log_records)

    def take_spans(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(self.values(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> Span:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def attributes(self, name: str) -> dict[str, Any]:
        return self.values(self.named(name).attributes)

    def tree(self, trace_id: str) -> dict[str, str]:
        """Each span of a trace with its parent, by name; by id where that is not ours."""
        spans = [span for span in self.spans if span.trace_id.hex() == trace_id]
        names = {span.span_id: span.name for span in spans}
        return {span.name: names.get(span.parent_span_id, span.parent_span_id.hex()) for span in spans}

    @staticmethod
    def values(attributes: Any) -> dict[str, Any]:
        """OTLP's attributes as a dictionary."""

        def plain(value: Any) -> Any:
            kind = value.WhichOneof("value")
            return [plain(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)

        return {attribute.key: plain(attribute.value) for attribute in attributes}

    def handler(collector) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if collector.hangs:
                    collector.over.wait(60)
                    return
                if collector.status == 200:
                    collector.take(self.path, body)
                self.send_response(collector.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    server = ThreadingHTTPServer(("127.0.0.1", 0), collector.handler())
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
def collector() -> Iterator[Collector]:
    """A collector that takes everything, until a test lets it do otherwise."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def collector_of_module() -> Iterator[Collector]:
    """The same for all tests of a module."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny model is built, once for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def shared(model_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("service") / "log"
    flags = ("--model-cache", str(model_cache), "--max-batch-size", "8", "--queue-limit", "2")
    # Its collector refuses every connection: whatever is tested here also shows that no client notices that.
    telemetry = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_LOGS_EXPORTER": "otlp",
        "GPU_UUIDS": GPU,
        "TELEMETRY_FLUSH_SECONDS": "0.1",
    }
    running = start(log, *flags, INFERENCE_FAULTS="1", READY_STALL_SECONDS="1", MAX_BODY_BYTES="20000", **telemetry)
    yield running
    assert running.stop() == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.fixture
def service(shared: Running) -> Iterator[Running]:
    """The shared service: idle and without faults, before and after."""
    shared.mend()
    shared.until(shared.idle)
    yield shared
    shared.mend()
    shared.until(shared.idle)


class Asking:
    """How the tests ask the service for text."""

    @staticmethod
    def body(prompt: str | list[int], max_tokens: int = 16, **more: Any) -> dict[str, Any]:
        """A greedy completion request."""
        return {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0} | more

    def complete(self, client: httpx.Client, prompt: str | list[int], max_tokens: int = 16, **more: Any) -> str:
        """The text of a completion."""
        response = client.post("/v1/completions", json=self.body(prompt, max_tokens, **more))
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["text"])

    def on_the_wire(self, prompt: str | list[int], max_tokens: int = 16, **more: Any) -> tuple[bytes, bytes]:
        """A whole completion request for a raw connection: its head, and its body."""
        body = json.dumps(self.body(prompt, max_tokens, **more)).encode()
        head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body

    @staticmethod
    def chunks(text: str) -> list[dict[str, Any]]:
        """The JSON of each event of a stream that ended as it should."""
        assert text.endswith("data: [DONE]\n\n")
        blocks = text.removesuffix("\n\n").split("\n\n")[:-1]
        assert all(block.startswith("data: ") for block in blocks)
        return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.fixture(scope="session")
def asking() -> Asking:
    return Asking()


def _tokenizer() -> "PreTrainedTokenizerFast":
    """A byte-level BPE of 300 tokens with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    fast.train_from_iterator(["the rain in spain stays mainly in the plain"], trainer)
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"
    )
    return PreTrainedTokenizerFast(tokenizer_object=fast, eos_token="<end>", chat_template=template)


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a small model with random weights in Hugging Face's format, `llama` or `qwen2`."""

    def make(name: str, **different: Any) -> Path:
        # Late: tests that need no model need not wait for torch.
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

        kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
        config, model = kinds[name]
        tokenizer = _tokenizer()
        shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
        ends = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
        shared_heads = {"num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.3}
        torch.manual_seed(3)
        directory = tmp_path_factory.mktemp(name) / "tiny-model"
        model(config(**shape, **ends, **shared_heads, **different)).save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        return directory

    return make
