"""Requests to spans, as a collector receives them, and what happens where it does not."""

import time

import pytest

from exporters.catalogue import llm
from inference.engine.engine import Phase, Snapshot
from inference.telemetry.recorder import About, Recorder
from inference.telemetry.tally import Steps
from inference.telemetry.tracing import resource

GPU = "GPU-11111111-2222-3333-4444-555555555555"
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def recorder_to(url):
    snapshot = Snapshot(Phase.SERVING, "", 0, 0, 0, 0, 0, 0.1)
    return Recorder(About("m", "1.2", "abc", (GPU,)), lambda: snapshot, Steps(), url)


@pytest.fixture
def recorder(collector):
    return recorder_to(collector.url)


@pytest.fixture
def answered(making):
    facts = {"batch_sizes": [1, 4, 1], "preemptions": 0}
    stall = {"longest_gap": 0.25, "longest_gap_reason": "prefill", "gpu_memory_used_bytes": 7 << 30}
    return making.timeline(admitted=0.2, tokens=(0.5, 0.75, 1.0), **facts, **stall)


def test_the_spans_of_a_request_are_a_tree_in_the_clients_trace(recorder, collector, making, answered):
    making.ended(recorder, timeline=answered, prompt=making.prompt, headers={b"traceparent": TRACEPARENT})
    recorder.close(5)
    assert collector.tree("0af7651916cd43dd8448eb211c80319c") == {
        "POST /v1/chat/completions": "b7ad6b7169203331",
        "chat m": "POST /v1/chat/completions",
        "queue": "chat m",
        "prefill": "chat m",
        "decode": "chat m",
    }
    assert len(collector.spans) == 5
    assert collector.resources[0]["service.name"] == "inferwatch-inference"
    assert collector.resources[0]["service.version"] == "1.2"


def test_the_phases_follow_each_other_by_the_engines_own_times(recorder, collector, making, answered):
    making.ended(recorder, timeline=answered, prompt=making.prompt)
    recorder.close(5)

    def milliseconds(epoch_ns: int) -> int:
        return round((epoch_ns - 1000 * 10**9) / 1e6)

    assert {
        span.name: (milliseconds(span.start_time_unix_nano), milliseconds(span.end_time_unix_nano))
        for span in collector.spans
    } == {
        "POST /v1/chat/completions": (0, 1000),
        "chat m": (0, 1000),
        "queue": (0, 200),
        "prefill": (200, 500),
        "decode": (500, 1000),
    }


def test_the_spans_say_what_was_asked_and_how_it_went(recorder, collector, making, answered):
    known = {"finish_reason": "stop", "response_id": "chatcmpl-1", "streamed": True}
    making.ended(recorder, timeline=answered, prompt=making.prompt, **known)
    recorder.close(5)
    assert collector.attributes("chat m") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "inferwatch",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.request.max_tokens": 16,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 3,
        "llm.batch.size.min": 1,
        "llm.batch.size.mean": 2.0,
        "llm.batch.size.max": 4,
        "llm.preemptions": 0,
    }
    assert collector.attributes("prefill") == {"hw.id": [GPU], "llm.gpu.memory.used": 7 << 30}
    assert collector.attributes("decode") == {
        "llm.token_gap.max": 0.25,
        "llm.token_gap.reason": "prefill",
    }
    server = collector.named("POST /v1/chat/completions")
    assert server.kind == server.SPAN_KIND_SERVER
    assert collector.attributes("POST /v1/chat/completions") == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
    }


@pytest.mark.parametrize(
    ("error_type", "is_error"),
    [("engine_dead", True), ("client_disconnect", False), ("invalid_request", False)],
)
def test_only_a_failure_of_ours_is_an_error_of_the_span(recorder, collector, making, answered, error_type, is_error):
    making.ended(recorder, error_type, timeline=answered, prompt=making.prompt)
    recorder.close(5)
    for name in ("POST /v1/chat/completions", "chat m"):
        span = collector.named(name)
        assert collector.attributes(name)["error.type"] == error_type
        assert (span.status.code == span.status.STATUS_CODE_ERROR) is is_error


def test_a_request_that_never_left_the_queue_has_no_later_phase(recorder, collector, making):
    making.ended(recorder, "timeout_queue", prompt=making.prompt)
    recorder.close(5)
    assert {span.name for span in collector.spans} == {"POST /v1/chat/completions", "chat m", "queue"}


def test_the_operators_requests_have_no_spans(recorder, making):
    assert recorder.began(making.exchange(path="/metrics"), {}) is None
    assert recorder.began(making.exchange(path="/v1/models"), {}) is not None


@pytest.mark.parametrize("header", [b"", b"00-0-0-01", b"\xff" * 200, b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
def test_a_broken_traceparent_begins_a_new_trace(recorder, making, header):
    trace = recorder.began(making.exchange(), {b"traceparent": header, b"tracestate": b"=,=" * 500})
    assert int(trace.trace_id, 16) > 0


def test_a_hostile_path_stays_short(recorder, collector, making):
    exchange = making.exchange(status=404, path="/" + "x" * 60_000, route="")
    exchange.trace = recorder.began(exchange, {})
    recorder.ended(exchange)
    recorder.close(5)
    assert len(collector.attributes("POST")["url.path"]) == 200


def test_spans_that_the_collector_refuses_are_counted(recorder, collector, making, answered, values_of):
    collector.status = 400
    making.ended(recorder, timeline=answered, prompt=making.prompt)
    assert values_of(recorder, llm.SPANS_DROPPED, reason="export_failed") == [0]
    recorder.close(5)
    assert values_of(recorder, llm.SPANS_DROPPED, reason="export_failed") == [5]
    assert collector.spans == []


def test_spans_that_find_the_queue_full_are_counted_and_cost_no_time(
    monkeypatch, collector, making, answered, values_of
):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    collector.hangs = True
    recorder = recorder_to(collector.url)
    began = time.monotonic()
    for _ in range(20):
        making.ended(recorder, timeline=answered, prompt=making.prompt)
    assert time.monotonic() - began < 1
    # Of 100 spans, 8 wait and 8 to 16 are on their way.
    assert 60 <= values_of(recorder, llm.SPANS_DROPPED, reason="queue_full")[0] <= 92


def test_the_end_does_not_wait_for_a_collector_that_hangs(recorder, collector, making, answered, caplog):
    collector.hangs = True
    making.ended(recorder, timeline=answered, prompt=making.prompt)
    began = time.monotonic()
    recorder.close(0.3)
    assert time.monotonic() - began < 2
    assert "the collector did not take the last spans within 0.3 s" in caplog.text


def test_without_a_collector_ids_exist_all_the_same(making):
    recorder = recorder_to(None)
    exchange = making.ended(recorder, headers={b"traceparent": TRACEPARENT})
    assert exchange.trace.trace_id == "0af7651916cd43dd8448eb211c80319c"
    recorder.close(5)


def test_the_environment_names_the_service_where_it_says_so(monkeypatch):
    assert resource("1").attributes["service.name"] == "inferwatch-inference"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    named = resource("1").attributes
    assert (named["service.name"], named["service.version"]) == ("chat", "1")
    assert named["deployment.environment.name"] == "staging"
