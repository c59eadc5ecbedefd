"""The probe against the reference service and its fault `wrong_answers`: two real programs."""

import os
import re
import subprocess
import sys
import time

import httpx
import pytest


@pytest.fixture(scope="module")
def service_url(tmp_path_factory):
    """The reference service on a free port, ready, with its fault API."""
    folder = tmp_path_factory.mktemp("service")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inference", "--port", "0", "--model-cache", folder / "models"],
            env=os.environ | {"INFERENCE_FAULTS": "1"},
            stderr=log,
        )
    try:
        yield _ready(process, folder / "log")
    finally:
        process.kill()
        process.wait()


def _ready(process, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://[^\s\"]+", log.read_text())
        if found and httpx.get(f"{found[0]}/ready").status_code == 200:
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"the service did not become ready:\n{log.read_text()}")


@pytest.fixture
def config(service_url):
    yield f"interval: 0.5\ntimeout: 0.45\ntargets: [{{name: a, service: chat, url: '{service_url}'}}]\n"
    httpx.delete(f"{service_url}/admin/faults/wrong_answers")


def break_answers(service_url):
    assert httpx.put(f"{service_url}/admin/faults/wrong_answers", json={}).status_code == 204


def mend_answers(service_url):
    assert httpx.delete(f"{service_url}/admin/faults/wrong_answers").status_code == 204


def test_wrong_answers_are_seen_while_they_last_and_the_service_counts_as_available(start, config, service_url):
    running = start(config)
    running.wait_for(1, "llm_probe_answer_matches", "a")
    break_answers(service_url)
    assert running.wait_for(0, "llm_probe_answer_matches", "a")["llm_probe_success", "a"] == 1
    mend_answers(service_url)
    samples = running.wait_for(1, "llm_probe_answer_matches", "a")
    assert samples["llm_probe_answer_mismatches_total", "a"] >= 1
    assert 0 < samples["llm_probe_connect_seconds", "a"] < samples["llm_probe_time_to_first_token_seconds", "a"]


def test_restart_in_the_middle_of_wrong_answers_does_not_learn_them(start, config, service_url):
    running = start(config)
    running.wait_for(1, "llm_probe_answer_matches", "a")
    break_answers(service_url)
    running.end()
    restarted = start(config)
    restarted.wait_for(3, "llm_probe_answer_mismatches_total", "a")
    mend_answers(service_url)
    restarted.wait_for(1, "llm_probe_answer_matches", "a")
