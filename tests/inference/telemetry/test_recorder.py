"""Requests to samples: the page that Prometheus would read."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters.catalogue import labels, llm
from inference.engine.engine import Phase, Snapshot
from inference.telemetry.ended import Exchange, Silence
from inference.telemetry.instruments import OTEL_NAMES
from inference.telemetry.recorder import About, Recorder
from inference.telemetry.tally import Steps

SNAPSHOT = Snapshot(Phase.SERVING, "", 3, 2, 100, 40, 60, 0.1, 25, 100, 4, 1, "fp_1")
GPU = "GPU-11111111-2222-3333-4444-555555555555"


@pytest.fixture
def steps():
    return Steps()


@pytest.fixture
def recorder(steps):
    return Recorder(About("m", "1.2", "abc", (GPU,)), lambda: SNAPSHOT, steps)


def page(recorder):
    content, _ = recorder.render("application/openmetrics-text; version=1.0.0")
    return [sample for family in text_string_to_metric_families(content.decode()) for sample in family.samples]


def test_every_metric_of_the_catalogue_has_an_instrument():
    assert set(OTEL_NAMES) == {metric.name for metric in llm.METRICS}
    assert len(set(OTEL_NAMES.values())) == len(OTEL_NAMES)


def test_the_engine_is_read_at_the_scrape(recorder):
    shown = {one.name: one.value for one in page(recorder) if one.labels == {"model": "m"} and "_time" not in one.name}
    assert {name: value for name, value in shown.items() if "latency" not in name and "batch" not in name} == {
        llm.RUNNING.name: 3,
        llm.WAITING.name: 2,
        llm.ENGINE_STEPS.name: 100,
        llm.ENGINE_RESTARTS.name: 1,
        llm.PREEMPTIONS.name: 4,
        llm.PROMPT_TOKENS.name: 40,
        llm.GENERATED_TOKENS.name: 60,
        llm.MODEL_LOADED.name: 1,
        llm.KV_CACHE_CAPACITY.name: 100,
        llm.KV_CACHE_USAGE.name: 0.25,
    }


def test_what_runs_here_can_be_seen(recorder, values_of):
    assert values_of(recorder, llm.BUILD_INFO, version="1.2", model="m", config_hash="abc", fingerprint="fp_1") == [1]
    assert values_of(recorder, llm.GPU_INFO, uuid=GPU) == [1]


def test_a_model_that_is_not_serving_is_not_loaded_and_has_no_cache(values_of):
    dead = Recorder(About("m"), lambda: Snapshot(Phase.DEAD, "died", 0, 0, 0, 0, 0, 9.0), Steps())
    assert values_of(dead, llm.MODEL_LOADED) == [0]
    assert values_of(dead, llm.KV_CACHE_USAGE) == []
    assert values_of(dead, llm.GPU_INFO) == []
    assert values_of(dead, llm.SPANS_DROPPED) == []


def test_every_error_type_and_reason_starts_at_zero(recorder):
    def shown(metric, label):
        return {one.labels[label] for one in page(recorder) if one.name == metric.name and one.labels["model"] == "m"}

    assert shown(llm.REQUEST_ERRORS, labels.ERROR_TYPE) == set(labels.ERROR_TYPES)
    assert shown(llm.WITHOUT_FIRST_TOKEN, labels.ERROR_TYPE) == set(labels.ERROR_TYPES)
    assert shown(llm.REQUESTS, labels.OUTCOME) == set(labels.OUTCOMES)
    assert shown(llm.REJECTIONS, labels.REASON) == set(llm.REJECTION_REASONS)
    assert shown(llm.CANCELLATIONS, labels.PHASE) == {"queue", "prefill", "decode"}


def test_steps_are_counted_by_time_and_batch_size(recorder, steps, values_of):
    steps.add(0.004, 8)
    steps.add(0.2, 1)
    assert values_of(recorder, llm.STEP_TIME.count) == [2]
    assert values_of(recorder, llm.STEP_TIME.bucket, le="0.005") == [1]
    assert values_of(recorder, f"{llm.BATCH_SIZE}_sum") == [9]
    assert values_of(recorder, llm.BATCH_SIZE.bucket, le="8.0") == [2]
    assert values_of(recorder, llm.BATCH_SIZE.bucket, le="6.0") == [1]


def test_a_request_that_went_well_is_in_every_latency(recorder, making, values_of):
    timeline = making.timeline(admitted=0.1, tokens=(0.25, 0.5, 0.75, 1.0))
    making.ended(recorder, timeline=timeline, prompt=making.prompt)
    for metric, count, total in (
        (llm.REQUEST_DURATION, 1, 1.0),
        (llm.TIME_TO_FIRST_TOKEN, 1, 0.25),
        (llm.TIME_PER_OUTPUT_TOKEN, 1, 0.25),
        (llm.INTER_TOKEN_LATENCY, 3, 0.75),
        (llm.HTTP_REQUEST_DURATION, 1, 1.0),
    ):
        assert sum(values_of(recorder, metric.count)) == count
        assert sum(values_of(recorder, f"{metric}_sum")) == pytest.approx(total)
    assert values_of(recorder, f"{llm.QUEUE_TIME}_sum", model="m") == [pytest.approx(0.1)]
    # A value on an edge belongs to the bucket that ends there.
    assert values_of(recorder, llm.TIME_TO_FIRST_TOKEN.bucket, gen_ai_operation_name="chat", le="0.1") == [0]
    assert values_of(recorder, llm.TIME_TO_FIRST_TOKEN.bucket, gen_ai_operation_name="chat", le="0.25") == [1]
    assert values_of(recorder, llm.REQUESTS, outcome="success") == [1]
    assert sum(values_of(recorder, llm.WITHOUT_FIRST_TOKEN)) == 0


def test_a_stream_that_broke_is_an_error_although_it_had_its_first_token(recorder, making, values_of):
    timeline = making.timeline(admitted=0.1, tokens=(0.5, 0.6))
    making.ended(recorder, "engine_dead", timeline=timeline, prompt=making.prompt)
    assert values_of(recorder, llm.REQUEST_ERRORS, error_type="engine_dead", model="m") == [1]
    assert values_of(recorder, llm.REQUESTS, outcome="failed", error_type="engine_dead") == [1]
    assert values_of(recorder, llm.REQUEST_DURATION.count, error_type="engine_dead") == [1]
    assert sum(values_of(recorder, llm.TIME_PER_OUTPUT_TOKEN.count)) == 0
    assert values_of(recorder, llm.TIME_TO_FIRST_TOKEN.count, gen_ai_operation_name="chat") == [1]
    assert sum(values_of(recorder, llm.WITHOUT_FIRST_TOKEN)) == 0


def test_a_failure_before_the_first_token_can_be_counted_against_it(recorder, making, values_of):
    making.ended(recorder, "timeout_queue", prompt=making.prompt)
    assert values_of(recorder, llm.WITHOUT_FIRST_TOKEN, outcome="failed", error_type="timeout_queue") == [1]
    assert sum(values_of(recorder, llm.REJECTIONS)) == 0


@pytest.mark.parametrize(
    ("admitted", "tokens", "phase"),
    [(None, (), "queue"), (0.1, (), "prefill"), (0.1, (0.2,), "decode")],
    ids=["queue", "prefill", "decode"],
)
def test_a_client_that_leaves_is_cancelled_and_no_failure(recorder, making, values_of, admitted, tokens, phase):
    timeline = making.timeline(admitted, tokens)
    making.ended(recorder, "client_disconnect", timeline=timeline, prompt=making.prompt)
    assert values_of(recorder, llm.CANCELLATIONS, phase=phase) == [1]
    assert sum(values_of(recorder, llm.CANCELLATIONS)) == 1
    assert sum(values_of(recorder, llm.REQUESTS, outcome="failed")) == 0
    assert sorted(values_of(recorder, llm.REQUESTS, outcome="cancelled")) == [0, 1]  # of other models: none


def test_a_client_that_leaves_before_its_request_is_whole_had_no_place_to_lose(recorder, making, values_of):
    making.ended(recorder, "client_disconnect", model="x")
    assert values_of(recorder, llm.REQUEST_ERRORS, model="other", error_type="client_disconnect") == [1]
    assert sum(values_of(recorder, llm.CANCELLATIONS)) == 0


def test_a_rejection_has_its_reason(recorder, making, values_of):
    making.ended(recorder, "invalid_request", model="x", rejection="unknown_model")
    assert values_of(recorder, llm.REJECTIONS, model="other", reason="unknown_model") == [1]
    assert values_of(recorder, llm.REQUESTS, model="other", outcome="refused", error_type="invalid_request") == [1]
    assert sum(values_of(recorder, llm.QUEUE_TIME.count)) == 0


def test_what_clients_invent_makes_no_series(recorder, making):
    def series():
        return {(one.name, *sorted(one.labels.items())) for one in page(recorder)}

    making.ended(recorder, "invalid_request", model=None)
    recorder.ended(making.exchange(status=404, method="BREW", path="/", route=""))
    before = series()
    for index in range(100):
        making.ended(recorder, "invalid_request", model=f'invented-{index}"}} 1\nforged 1')
        recorder.ended(making.exchange(status=404, method=f"M{index}", path=f"/invented/{index}", route=""))
    assert series() == before
    assert {one.labels.get("model", "m") for one in page(recorder)} == {"m", "other"}


def test_each_latency_has_the_trace_of_a_request_in_its_bucket(recorder, making):
    timeline = making.timeline(admitted=0.02, tokens=(0.03, 0.05, 0.3))
    exchange = making.ended(recorder, ended=0.3, timeline=timeline, prompt=making.prompt)
    marked = {one.name: one for one in page(recorder) if one.exemplar}
    found = {name: (one.labels["le"], round(one.exemplar.value, 6)) for name, one in marked.items()}
    assert found == {
        llm.REQUEST_DURATION.bucket: ("0.32", 0.3),
        llm.TIME_TO_FIRST_TOKEN.bucket: ("0.04", 0.03),
        llm.TIME_PER_OUTPUT_TOKEN.bucket: ("0.15", 0.135),
        llm.QUEUE_TIME.bucket: ("0.02", 0.02),
        llm.INTER_TOKEN_LATENCY.bucket: ("0.3", 0.25),
        llm.HTTP_REQUEST_DURATION.bucket: ("1.0", 1.0),
    }
    assert {one.exemplar.labels["trace_id"] for one in marked.values()} == {exchange.trace.trace_id}


def test_a_second_scraper_sees_the_same_exemplars(recorder, making):
    making.ended(recorder, timeline=making.timeline(0.1, (0.2, 0.3)), prompt=making.prompt)
    first = [(one.name, one.exemplar) for one in page(recorder) if one.exemplar]
    assert first
    assert [(one.name, one.exemplar) for one in page(recorder) if one.exemplar] == first


def test_silence_has_no_page():
    silence = Silence()
    assert silence.began(Exchange("GET", "/"), {}) is None
    silence.ended(Exchange("GET", "/"))
    silence.close(1)
    assert silence.render("") is None
