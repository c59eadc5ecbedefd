"""Requests to samples: the page that Prometheus would read."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters.catalogue import labels, llm
from inference.engine.engine import Phase, Snapshot
from inference.telemetry.ended import EndedRequest, Silence
from inference.telemetry.instruments import OTEL_NAMES
from inference.telemetry.recorder import Recorder

SNAPSHOT = Snapshot(Phase.SERVING, "", 3, 2, 100, 40, 60, 0.1)


@pytest.fixture
def recorder():
    return Recorder("m", lambda: SNAPSHOT)


def page(recorder):
    content, _ = recorder.render("application/openmetrics-text; version=1.0.0")
    return [sample for family in text_string_to_metric_families(content.decode()) for sample in family.samples]


def values(recorder, name, **wanted):
    return [one.value for one in page(recorder) if one.name == name and wanted.items() <= one.labels.items()]


def test_every_metric_of_the_catalogue_has_an_instrument():
    assert set(OTEL_NAMES) == {metric.name for metric in llm.METRICS}
    assert len(set(OTEL_NAMES.values())) == len(OTEL_NAMES)


def test_the_engine_is_read_at_the_scrape(recorder):
    shown = {one.name: one.value for one in page(recorder) if one.labels == {"model": "m"}}
    assert shown == {
        llm.RUNNING.name: 3,
        llm.WAITING.name: 2,
        llm.ENGINE_STEPS.name: 100,
        llm.PROMPT_TOKENS.name: 40,
        llm.GENERATED_TOKENS.name: 60,
        llm.MODEL_LOADED.name: 1,
    }


def test_a_model_that_is_not_serving_is_not_loaded():
    dead = Recorder("m", lambda: Snapshot(Phase.DEAD, "died", 0, 0, 0, 0, 0, 9.0))
    assert values(dead, llm.MODEL_LOADED.name) == [0]


def test_every_error_type_starts_at_zero(recorder):
    shown = {one.labels[labels.ERROR_TYPE] for one in page(recorder) if one.name == llm.REQUEST_ERRORS.name}
    assert shown == set(labels.ERROR_TYPES)


def test_a_request_that_went_well_is_in_three_histograms(recorder):
    recorder.request_ended(EndedRequest("chat", "m", "", duration=1.0, first_token=0.25, tokens=4))
    for metric, expected in (
        (llm.REQUEST_DURATION, 1.0),
        (llm.TIME_TO_FIRST_TOKEN, 0.25),
        (llm.TIME_PER_OUTPUT_TOKEN, 0.25),
    ):
        assert values(recorder, f"{metric}_sum", gen_ai_operation_name="chat") == [expected]
        assert values(recorder, f"{metric}_bucket", gen_ai_operation_name="chat", le="+Inf") == [1]
    # A value on an edge belongs to the bucket that ends there.
    first = f"{llm.TIME_TO_FIRST_TOKEN}_bucket"
    assert values(recorder, first, gen_ai_operation_name="chat", le="0.1") == [0]
    assert values(recorder, first, gen_ai_operation_name="chat", le="0.25") == [1]


def test_a_request_that_failed_is_counted_by_its_error_type_and_has_no_time_per_token(recorder):
    recorder.request_ended(EndedRequest("chat", "m", "engine_dead", duration=1.0, first_token=0.5, tokens=4))
    assert values(recorder, llm.REQUEST_ERRORS.name, error_type="engine_dead", model="m") == [1]
    assert values(recorder, f"{llm.REQUEST_DURATION}_count", error_type="engine_dead") == [1]
    assert values(recorder, f"{llm.TIME_PER_OUTPUT_TOKEN}_count", gen_ai_operation_name="chat") == [0]


def test_names_that_clients_invent_fold_into_one(recorder):
    for index in range(100):
        recorder.request_ended(EndedRequest("chat", f"invented-{index}", "invalid_request", 0.1))
    recorder.request_ended(EndedRequest("chat", None, "invalid_request", 0.1))
    assert {one.labels.get("model", "m") for one in page(recorder)} == {"m", "other"}
    assert values(recorder, llm.REQUEST_ERRORS.name, model="other") == [101]


def test_a_request_inside_a_trace_leaves_an_exemplar_in_its_bucket(recorder):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("request") as span:
        recorder.request_ended(EndedRequest("chat", "m", "", duration=0.3, first_token=0.03, tokens=2))
    trace_id = f"{span.get_span_context().trace_id:032x}"
    marked = [one for one in page(recorder) if one.exemplar and one.name == f"{llm.REQUEST_DURATION}_bucket"]
    assert [one.labels["le"] for one in marked] == ["0.32"]
    assert marked[0].exemplar.labels["trace_id"] == trace_id
    assert marked[0].exemplar.value == 0.3


def test_silence_has_no_page():
    silence = Silence()
    silence.request_ended(EndedRequest("chat", "m", "", 1.0))
    assert silence.render("") is None
