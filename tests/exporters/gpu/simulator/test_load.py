"""Where the simulated load comes from."""

import threading
from pathlib import Path

import pytest

from exporters.gpu.simulator.gpu import IDLE, Load
from exporters.gpu.simulator.load import Counts, LoadUnreadableError, LoadWatcher, between, fetch, parse, wave

TEXT = (Path(__file__).parents[1] / "service.prom").read_text()
OPENMETRICS = """# TYPE llm_requests_running gauge
llm_requests_running{model="a"} 5
# TYPE llm_generated_tokens counter
llm_generated_tokens_total{model="a"} 1000 # {trace_id="4bf92f"} 1.0
# TYPE llm_model_loaded gauge
llm_model_loaded{model="a"} 1
# EOF
"""


@pytest.mark.parametrize(
    ("page", "kind"), [(TEXT, "text/plain"), (OPENMETRICS, "application/openmetrics-text; version=1.0.0")]
)
def test_both_formats_say_the_same(page, kind):
    assert parse(page, kind) == Counts(5, 1000, True)


def test_a_page_of_something_else_is_no_load():
    assert parse("go_goroutines 7\n", "text/plain") == Counts(0, 0, False)


def test_tokens_become_a_rate():
    assert between(Counts(1, 1000, True), Counts(2, 1300, True), 2) == Load(2, 150, True)


def test_a_restarted_service_makes_no_negative_rate():
    assert between(Counts(1, 1000, True), Counts(2, 30, True), 1) == Load(2, 0, True)


def test_the_service_is_read_over_http(service):
    assert fetch(f"{service}/metrics") == Counts(5, 1000, True)


@pytest.mark.parametrize("path", ["/garbage", "/error"])
def test_a_page_that_cannot_be_read_names_the_page(service, path):
    with pytest.raises(LoadUnreadableError, match=path):
        fetch(service + path)


def test_the_wave_goes_from_idle_to_busy_and_back():
    assert [round(wave(seconds).requests_running, 1) for seconds in (0, 75, 150, 300)] == [0, 4, 8, 0]


def test_a_watcher_hands_on_what_the_service_does(service):
    offered, loads = threading.Event(), []
    watcher = LoadWatcher(f"{service}/metrics", lambda load: (loads.append(load), offered.set()))
    watcher.start()
    assert offered.wait(5)
    watcher.stop()
    assert loads[0] == Load(5, 0, True)


def test_a_service_that_does_not_answer_means_idle():
    offered, loads = threading.Event(), []
    watcher = LoadWatcher("http://127.0.0.1:9/metrics", lambda load: (loads.append(load), offered.set()))
    watcher.start()
    assert offered.wait(5)
    watcher.stop()
    assert loads[0] == IDLE
