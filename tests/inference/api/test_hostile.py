"""A client that wishes us ill: it gets errors, never a 5xx, and leaves no metric series behind."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from exporters.catalogue import llm

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
GENERATING = ("/v1/completions", "/v1/chat/completions")


def series(service):
    page = service.client.get("/metrics", headers=OPENMETRICS).text
    return {
        (one.name, *sorted(one.labels.items()))
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000,
        b'{"prompt": "a", "max_tokens": NaN}',
        b'{"prompt": "a", "temperature": Infinity}',
        b'{"prompt": "a", "seed": ' + b"9" * 5_000 + b"}",
        b'{"prompt": "\\ud800", "max_tokens": 1}',
        b'{"prompt": "a", "stop": ["\\udfff"], "max_tokens": 1}',
        b'{"prompt": [1e999], "max_tokens": 1}',
        b'{"prompt": [true], "max_tokens": 1}',
        b'{"prompt": [[[]]], "max_tokens": 1}',
        b'{"prompt": "a", "model": "\\u0000\\n"}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}], "max_tokens": 1}',
        b'{"messages": [{"role": "user", "content": []}], "max_tokens": 1}',
        b"\xff\xfe\x00",
        b"null",
        b"",
    ],
    ids=range(15),
)
def test_no_body_makes_a_server_error(service, body):
    for path in GENERATING:
        response = service.client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code < 500, response.text
        assert response.status_code == 200 or response.json()["error"]["message"]


def test_names_paths_and_methods_that_clients_invent_make_no_series(service):
    def attack(number):
        injected = f'x{number}"}} 1\nforged_total{{a="'
        service.client.post("/v1/completions", json={"prompt": "a", "model": injected})
        service.client.post("/v1/completions", json={"prompt": "a", "model": "x" * 400 + str(number)})
        service.client.request(f"BREW{number}", "/v1/completions")
        service.client.get(f"/{number}/{{model}}")
        service.client.put(f"/admin/faults/invented{number}")
        headers = {"traceparent": f"00-{number:032x}-{number:016x}-01", "baggage": f"model=x{number}"}
        service.client.get("/v1/models", headers=headers | {"User-Agent": injected.replace("\n", "")})

    attack(1)
    before = series(service)
    for number in range(2, 25):
        attack(number)
    assert series(service) == before
    assert "forged" not in service.client.get("/metrics").text


def test_bodies_that_are_too_large_are_refused_without_being_kept(service):
    before = service.sample(llm.REJECTIONS, model="other", reason="body_too_large")
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: _send_endless_body(service), range(8)))
    assert codes == [413] * 8
    assert service.sample(llm.REJECTIONS, model="other", reason="body_too_large") == before + 8


def _send_endless_body(service) -> int:
    """What the service says while a body of 1 GiB, in truth endless, is on its way."""
    with socket.create_connection((service.client.base_url.host, service.client.base_url.port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1073741824\r\n\r\n" + b"x" * 1000
        )
        return int(raw.recv(4096).split()[1])


def test_readers_that_do_not_read_hold_up_nobody(service, asking):
    head, body = asking.on_the_wire("slow", 500, stream=True)
    address = (service.client.base_url.host, service.client.base_url.port)
    slow = []
    for _ in range(2):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(address)
        raw.sendall(head + body)
        slow.append(raw)
    service.until(lambda: service.sample(llm.RUNNING) == 2)
    assert len(asking.complete(service.client, "quick", 5)) == 5
    # Their answers end in the engine although nobody reads them: no slot waits for a reader.
    service.until(service.idle, seconds=60)
    for raw in slow:
        raw.close()


@pytest.fixture(scope="module")
def schema(shared):
    """The service's own description, without what would only take time: long answers, and faults that stay on."""
    document = shared.client.get("/openapi.json").json()
    for path in [path for path in document["paths"] if path.startswith("/admin")]:
        del document["paths"][path]
    for body in ("CompletionBody", "ChatBody"):
        properties = document["components"]["schemas"][body]["properties"]
        for name in {"max_tokens", "max_completion_tokens"} & properties.keys():
            properties[name] = {"type": "integer", "maximum": 4}
    return schemathesis.openapi.from_dict(document)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", path) for path in ("/health", "/ready", "/metrics", "/v1/models", "/v1/models/{name}")]
    + [("POST", path) for path in GENERATING],
)
def test_the_openapi_document_tells_every_answer_and_nothing_makes_a_server_error(service, schema, method, path):
    described = schema[path][method]
    modes = [mode for mode in GenerationMode if method == "POST" or mode is GenerationMode.POSITIVE]

    @given(case=st.one_of([described.as_strategy(generation_mode=mode) for mode in modes]))
    @settings(
        max_examples=30 if method == "POST" else 3,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def call(case):
        case.call_and_validate(base_url=service.url, checks=CHECKS, timeout=20)

    call()
