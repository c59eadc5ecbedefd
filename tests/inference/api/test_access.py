"""Who may come in and how often, what browsers may do, and what remains written."""

import json
import stat
import time

import openai
import pytest

from exporters.catalogue import llm

KEYS = "# who may\n\nteam-a:aaaaaaaaaaaaaaaa\nteam-b:bbbbbbbbbbbbbbbb\n"
A, B = ({"Authorization": f"Bearer {letter * 16}"} for letter in "ab")
ASKED = {"prompt": "a secret word", "max_tokens": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def guarded(started, place, collector_of_module):
    """A service with everything switched on that keeps people out."""
    (place / "keys").write_text(KEYS)
    return started(
        "--api-keys-file", str(place / "keys"),
        "--rate-limit", "6/hour",
        "--cors-origins", "https://chat.example",
        "--audit-log", str(place / "audit.log"),
        "--max-prompt-tokens", "100",
        "--otel-exporter-otlp-endpoint", collector_of_module.url,
        "--telemetry-flush-seconds", "0.5",
        "--otel-logs-exporter", "otlp",
        OTEL_BSP_SCHEDULE_DELAY="50",
        OTEL_BLRP_SCHEDULE_DELAY="50",
    )  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer aaaaaaaaaaaaaaab"}, {"Authorization": "Basic aaaaaaaaaaaaaaaa"}],
    ids=["none", "wrong", "another scheme"],
)
def test_without_a_valid_key_nobody_comes_in(guarded, headers):
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/completions"), ("POST", "/v1/nothing")):
        response = guarded.client.request(method, path, headers=headers, content=b"not even JSON")
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_refusal_is_counted_as_one(guarded):
    before = guarded.sample(llm.REQUEST_ERRORS, error_type="unauthorized", model="other")
    assert guarded.client.post("/v1/completions", json=ASKED).status_code == 401
    assert guarded.sample(llm.REQUEST_ERRORS, error_type="unauthorized", model="other") == before + 1


def test_the_operator_needs_no_key(guarded):
    for path in ("/health", "/ready", "/metrics"):
        assert guarded.client.get(path).status_code == 200


def test_the_openai_client_comes_in_with_its_key_and_hears_when_it_is_wrong(guarded):
    with openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="a" * 16, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["inferwatch-tiny"]
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="wrong").models.list()


def test_a_prompt_above_the_limit_is_refused(guarded):
    response = guarded.client.post("/v1/completions", json=ASKED | {"prompt": "x" * 200}, headers=A)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_each_key_has_its_own_rate(guarded):
    codes = [guarded.client.post("/v1/completions", json=ASKED, headers=A).status_code for _ in range(7)]
    # The prompt that was too long counted as well.
    assert set(codes[:5]) == {200}
    assert codes[5:] == [429, 429]
    refused = guarded.client.post("/v1/completions", json=ASKED, headers=A)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert guarded.client.post("/v1/completions", json=ASKED, headers=B).status_code == 200
    assert guarded.client.get("/v1/models", headers=A).status_code == 200
    assert guarded.sample(llm.REJECTIONS, model="other", reason="rate_limited") == 3


def test_keys_are_read_again_when_they_change_and_a_slip_locks_nobody_out(guarded, place):
    def status(headers):
        return guarded.client.get("/v1/models", headers=headers).status_code

    (place / "keys").write_text("team-b:bbbbbbbbbbbbbbbb\n")
    assert (status(A), status(B)) == (401, 200)
    (place / "keys").write_text("team-b:short\n")
    assert (status(A), status(B)) == (401, 200)
    (place / "keys").unlink()
    assert status(B) == 200
    (place / "keys").write_text(KEYS)
    assert (status(A), status(B)) == (200, 200)


def test_pages_of_a_listed_origin_may_call_and_others_may_not(guarded):
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    listed = guarded.client.options("/v1/completions", headers=asks | {"Origin": "https://chat.example"})
    other = guarded.client.options("/v1/completions", headers=asks | {"Origin": "https://evil.example"})
    assert listed.headers["access-control-allow-origin"] == "https://chat.example"
    assert "access-control-allow-origin" not in other.headers


def test_by_default_no_page_may_call_and_none_may_show_an_answer(service):
    response = service.client.get("/v1/models", headers={"Origin": "https://chat.example"})
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_audit_log_says_who_and_when_but_not_what(guarded, place):
    response = guarded.client.post("/v1/completions", json=ASKED, headers=B)
    audit = place / "audit.log"
    guarded.until(lambda: f'"{response.json()["id"]}"' in audit.read_text() and audit.read_text().endswith("\n"))
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600
    text = audit.read_text()
    last = json.loads(text.splitlines()[-1])
    assert last["time"].endswith("+00:00")
    assert last.pop("time")
    assert last.pop("duration_seconds") > 0
    assert last == {
        "trace_id": response.headers["x-trace-id"],
        "method": "POST",
        "route": "/v1/completions",
        "status": 200,
        "caller": "team-b",
        "client": "127.0.0.1",
        "operation": "text_completion",
        "outcome": "success",
        "finish_reason": "length",
        "response_id": response.json()["id"],
        "prompt_tokens": 14,
        "generated_tokens": 2,
    }
    assert "unauthorized" in text
    assert "secret" not in text
    assert "bbbbbbbb" not in text


def test_what_the_collector_gets_is_one_tree_in_the_clients_trace(guarded, collector_of_module):
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = B | {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    response = guarded.client.post("/v1/completions", json=ASKED | {"stream": True}, headers=headers)
    assert response.headers["x-trace-id"] == trace_id
    guarded.until(lambda: "POST /v1/completions" in collector_of_module.tree(trace_id))
    generated = "text_completion inferwatch-tiny"
    assert collector_of_module.tree(trace_id) == {
        "POST /v1/completions": "b7ad6b7169203331",
        generated: "POST /v1/completions",
        "queue": generated,
        "prefill": generated,
        "decode": generated,
    }
    spans = {span.name: span for span in collector_of_module.spans if span.trace_id.hex() == trace_id}
    about = collector_of_module.values(spans[generated].attributes)
    assert (about["llm.batch.size.max"], about["gen_ai.usage.output_tokens"]) == (1, 2)
    assert collector_of_module.values(spans["decode"].attributes)["llm.token_gap.reason"]
    first, last = spans["POST /v1/completions"], spans["decode"]
    assert first.start_time_unix_nano <= spans["queue"].start_time_unix_nano
    assert last.end_time_unix_nano <= first.end_time_unix_nano
    assert "secret" not in str(collector_of_module.spans)


def test_each_request_leaves_a_line_of_json_with_its_trace_and_without_its_words(guarded):
    response = guarded.client.post("/v1/completions", json=ASKED, headers=B)
    guarded.until(lambda: response.headers["x-trace-id"] in guarded.log.read_text())
    lines = [json.loads(line) for line in guarded.log.read_text().splitlines()]
    (line,) = [line for line in lines if line.get("trace_id") == response.headers["x-trace-id"]]
    assert (line["level"], line["logger"], line["message"]) == ("info", "inference.requests", "request")
    assert (line["outcome"], line["generated_tokens"], line["caller"]) == ("success", 2, "team-b")
    assert len(line["span_id"]) == 16
    assert line["queue_seconds"] < line["first_token_seconds"] < line["duration_seconds"]
    assert "secret" not in guarded.log.read_text()
    assert not any(line.get("route") == "/metrics" for line in lines)


def test_the_collector_gets_the_same_line_in_the_same_trace(guarded, collector_of_module):
    trace_id = guarded.client.get("/v1/models", headers=B).headers["x-trace-id"]

    def found():
        return [line for line in collector_of_module.lines if line.trace_id.hex() == trace_id]

    guarded.until(lambda: found() and trace_id in guarded.log.read_text())
    (shipped,) = found()
    (written,) = [line for line in map(json.loads, guarded.log.read_text().splitlines()) if trace_id in line.values()]
    about = collector_of_module.values(shipped.attributes)
    assert shipped.body.string_value == written["message"] == "request"
    assert about == {name: written[name] for name in about}
    assert {"route", "status", "caller", "duration_seconds"} <= set(about)
    assert shipped.span_id.hex() == written["span_id"]
    assert "secret" not in str(collector_of_module.lines)
    assert guarded.sample(llm.LOG_LINES_DROPPED, reason="export_failed") == 0


def test_a_collector_that_never_answers_holds_nothing_up_not_even_the_end(guarded, collector_of_module):
    # Last: it ends the service.
    collector_of_module.hangs = True
    for _ in range(20):
        began = time.monotonic()
        assert guarded.client.get("/v1/models", headers=B).status_code == 200
        assert time.monotonic() - began < 1
    began = time.monotonic()
    assert guarded.stop() == 0
    assert time.monotonic() - began < 8
    assert "the collector did not take the last spans within 0.5 s" in guarded.log.read_text()
    assert guarded.log.read_text().splitlines()[-1] == (
        "the collector did not take the last log lines in time; above they are whole"
    )
