"""Health, readiness, metrics and faults of the real service."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters.catalogue import llm

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (OPENMETRICS["Accept"], "application/openmetrics-text; version=1.0.0", parse_openmetrics),
        ("*/*", "text/plain; version=0.0.4", parse_text),
    ],
    ids=["openmetrics", "text"],
)
def test_metrics_hold_the_catalogue_and_nothing_else(service, accept, content_type, parse):
    service.client.post("/v1/completions", json={"prompt": "a", "max_tokens": 3})
    response = service.client.get("/metrics", headers={"Accept": accept})
    assert response.headers["content-type"].startswith(content_type)
    shown = {}
    for family in parse(response.text):
        for sample in family.samples:
            shown.setdefault(sample.name, set()).update(sample.labels.keys() - {"le"})
    assert shown == {name: set(metric.labels) for metric in llm.METRICS for name in metric.exposed}


def test_series_that_are_known_in_advance_start_at_zero(service):
    assert service.sample(llm.REQUEST_ERRORS, model="inferwatch-tiny", error_type="oom") == 0
    page = service.client.get("/metrics").text
    assert page.count(f"{llm.TIME_TO_FIRST_TOKEN}_count{{") == 2


def test_promtool_finds_nothing_to_say_about_the_metrics(service, tool):
    page = service.client.get("/metrics").text
    checked = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_tokens_and_durations_are_counted(service, asking):
    prompt, generated = service.sample(llm.PROMPT_TOKENS), service.sample(llm.GENERATED_TOKENS)
    asking.complete(service.client, "hello", 5)
    assert service.sample(llm.PROMPT_TOKENS) == prompt + 6
    assert service.sample(llm.GENERATED_TOKENS) == generated + 5
    page = service.client.get("/metrics", headers=OPENMETRICS).text
    sums = {
        family.name: sum(sample.value for sample in family.samples if sample.name.endswith("_sum"))
        for family in parse_openmetrics(page)
    }
    duration, first = sums[llm.REQUEST_DURATION.name], sums[llm.TIME_TO_FIRST_TOKEN.name]
    assert 0 < sums[llm.TIME_PER_OUTPUT_TOKEN.name] < duration
    assert 0 < first < duration


def test_an_idle_engine_still_steps_twice_a_second(service):
    before = service.sample(llm.ENGINE_STEPS)
    time.sleep(1.1)
    assert service.sample(llm.ENGINE_STEPS) >= before + 2


def test_a_hang_stops_the_steps_while_health_and_gauges_stay_right_and_ends_without_loss(service, asking):
    expected = asking.complete(service.client, "hello", 300)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(asking.complete, service.client, "hello", 300)
        service.until(lambda: service.sample(llm.RUNNING) == 1)
        with service.fault("hang"):
            time.sleep(0.1)
            waiting = pool.submit(asking.complete, service.client, "hello", 300)
            service.until(lambda: service.sample(llm.WAITING) == 1)
            steps, tokens = service.sample(llm.ENGINE_STEPS), service.sample(llm.GENERATED_TOKENS)
            time.sleep(1.2)
            assert service.sample(llm.ENGINE_STEPS) == steps
            assert service.sample(llm.GENERATED_TOKENS) == tokens
            assert service.sample(llm.RUNNING) == 1
            assert service.sample(llm.WAITING) == 1
            assert service.client.get("/health").status_code == 200
            ready = service.client.get("/ready")
            assert ready.status_code == service.client.head("/ready").status_code == 503
            assert re.fullmatch(r"the engine has not turned for \d s", ready.json()["reason"])
        assert running.result() == waiting.result() == expected
    assert service.sample(llm.ENGINE_STEPS) > steps
    assert service.client.get("/ready").status_code == 200


def test_a_hang_ends_by_itself_after_its_seconds(service, asking):
    service.client.put("/admin/faults/hang", json={"seconds": 0.5})
    started = time.monotonic()
    asking.complete(service.client, "hello", 2)
    assert 0.4 < time.monotonic() - started < 5
    assert service.client.get("/admin/faults").json() == []


def test_a_client_that_leaves_during_a_hang_leaves_the_queue(service, asking):
    with service.fault("hang"):
        with httpx.Client(base_url=service.url, timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/completions", json=asking.body("hello", stream=True))
        service.until(lambda: service.sample(llm.WAITING) == 0, seconds=1)


def test_the_error_fault_fails_so_many_requests_and_counts_them(service, asking):
    before = service.sample(llm.REQUEST_ERRORS, error_type="internal_error")
    assert service.client.put("/admin/faults/error", json={"ratio": 1, "count": 2}).status_code == 204
    shown = [{"name": "error", "ratio": 1.0, "seconds": None, "count": 2}]
    assert service.client.get("/admin/faults").json() == shown
    responses = [service.client.post("/v1/completions", json=asking.body("a", 1)) for _ in range(3)]
    assert [response.status_code for response in responses] == [500, 500, 200]
    assert responses[0].json()["error"]["type"] == "server_error"
    assert service.sample(llm.REQUEST_ERRORS, error_type="internal_error") == before + 2
    assert service.client.get("/admin/faults").json() == []


def test_a_stream_that_breaks_after_its_first_byte_is_a_failed_request(service, asking):
    failed = {"outcome": "failed", "error_type": "internal_error"}
    before, slow = service.sample(llm.REQUESTS, **failed), service.sample(llm.WITHOUT_FIRST_TOKEN, **failed)
    with service.fault("stream_cut", count=1), pytest.raises(httpx.RemoteProtocolError):
        service.client.post("/v1/completions", json=asking.body("hello", 20, stream=True))
    service.until(lambda: service.sample(llm.REQUESTS, **failed) == before + 1)
    assert service.sample(llm.WITHOUT_FIRST_TOKEN, **failed) == slow


def test_the_error_fault_hits_its_share(service, asking):
    service.client.put("/admin/faults/error", json={"ratio": 0.3})
    codes = [service.client.post("/v1/completions", json=asking.body("a", 1)).status_code for _ in range(60)]
    assert 8 <= codes.count(500) <= 30
    assert codes.count(200) == 60 - codes.count(500)


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("PUT", "nonsense", {}, 404),
        ("PUT", "error", {"ratio": 2}, 400),
        ("PUT", "error", {"share": 1}, 400),
        ("PUT", "hang", {"ratio": 0.5}, 400),
    ],
    ids=str,
)
def test_the_fault_api_refuses_what_it_does_not_know(service, method, path, sent, status):
    response = service.client.request(method, f"/admin/faults/{path}", json=sent)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert service.client.get("/admin/faults").json() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_fault_api_refuses_forwarded_requests(service, method):
    path = "/admin/faults" if method == "GET" else "/admin/faults/hang"
    assert service.client.request(method, path, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert service.client.get("/admin/faults").json() == []


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_head_tells_the_same_without_a_body(service, path):
    response = service.client.head(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("version", ['"1.0.0"', "x", "", "1.0.0"])
def test_metrics_are_served_whatever_version_is_asked_for(service, version):
    answer = service.client.get("/metrics", headers={"Accept": f"application/openmetrics-text; version={version}"})
    assert answer.status_code == 200
    assert "llm_requests_running" in answer.text
