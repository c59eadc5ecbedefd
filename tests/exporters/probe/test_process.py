"""The program itself: started, scraped, told to reload, ended."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters.catalogue import probe

BEHAVIOURS = ("good", "error_500", "hangs", "cut", "garbage", "no_text")


def targets(**urls: str) -> str:
    return "\n".join(f"- {{name: {name}, service: chat, url: '{url}', model: tiny}}" for name, url in urls.items())


@pytest.fixture(scope="module")
def everything(shared_service, refused_url, tmp_path_factory, launch) -> Iterator:
    urls = {behaviour: shared_service.url(behaviour) for behaviour in BEHAVIOURS}
    pinned = f"- {{name: paced, service: chat, url: '{shared_service.url('paced')}', model: tiny, golden: Paris}}"
    config = f"interval: 2.5\ntimeout: 2\ntargets:\n{targets(**urls, refused=refused_url)}\n{pinned}\n"
    running = launch(tmp_path_factory.mktemp("probe"), config)
    try:
        running.wait_until_attempted(*BEHAVIOURS, "refused", "paced")
        yield running
    finally:
        running.end()


def test_page_tells_success_and_the_reason_of_every_failure(everything):
    samples = everything.samples()
    success = {key[1]: value for key, value in samples.items() if key[0] == "llm_probe_success"}
    assert success == {"good": 1, "paced": 1, **dict.fromkeys((*BEHAVIOURS[1:], "refused"), 0)}
    reasons = {key[1:] for key, value in samples.items() if key[0] == "llm_probe_failures_total" and value}
    assert reasons == {
        ("error_500", "http_status"),
        ("hangs", "timeout"),
        ("cut", "bad_stream"),
        ("garbage", "bad_stream"),
        ("no_text", "no_tokens"),
        ("refused", "connect"),
    }
    assert samples["llm_probe_failures_total", "good", "timeout"] == 0
    assert ("llm_probe_time_to_first_token_seconds", "hangs") not in samples
    assert ("llm_probe_connect_seconds", "refused") not in samples
    assert ("llm_probe_answer_matches", "cut") not in samples
    assert ("llm_probe_last_success_timestamp_seconds", "refused") not in samples
    assert abs(samples["llm_probe_last_success_timestamp_seconds", "good"] - time.time()) < 10


def test_page_has_every_catalogue_name_and_no_other(everything):
    assert {key[0] for key in everything.samples()} == {metric.name for metric in probe.METRICS}


def test_every_sample_carries_exactly_the_labels_of_the_catalogue(everything):
    for family in parse_text(httpx.get(f"{everything.url}/metrics").text):
        for sample in family.samples:
            [metric] = [metric for metric in probe.METRICS if metric.name == sample.name]
            assert set(sample.labels) == set(metric.labels)
            assert (sample.labels["target_service"], sample.labels["model"]) == ("chat", "tiny")


def test_page_is_openmetrics_where_that_is_asked_for(everything):
    answer = httpx.get(f"{everything.url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert len(list(parse_openmetrics(answer.text))) == len(probe.METRICS)


def test_promtool_finds_nothing_to_say(everything, tool):
    page = httpx.get(f"{everything.url}/metrics").text
    check = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=page, text=True, capture_output=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_health_is_good_while_attempts_end_even_where_they_fail(everything):
    assert httpx.get(f"{everything.url}/healthz").status_code == 200


def test_unknown_page_is_not_found(everything):
    assert httpx.get(f"{everything.url}/nowhere").status_code == 404


def test_counters_start_at_zero_before_the_first_attempt_ends(start, service):
    running = start(f"interval: 60\ntimeout: 50\ntargets:\n{targets(hangs=service.url('hangs'))}\n")
    samples = running.samples()
    assert samples["llm_probe_attempts_total", "hangs"] == 0
    assert samples["llm_probe_failures_total", "hangs", "timeout"] == 0
    assert ("llm_probe_success", "hangs") not in samples


def test_hangup_reads_the_configuration_again_and_keeps_the_old_one_where_the_new_is_bad(start, service):
    running = start(f"interval: 0.5\ntimeout: 0.4\ntargets:\n{targets(first=service.url('good'))}\n")
    running.wait_until_attempted("first")
    running.file.write_text("targets: nonsense")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for_log(r"not read again.*probe\.yaml: targets: must be a list")
    running.wait_until_attempted("first")
    running.file.write_text(f"interval: 0.5\ntimeout: 0.4\ntargets:\n{targets(second=service.url('good'))}\n")
    running.process.send_signal(signal.SIGHUP)
    samples = running.wait_until_attempted("second")
    assert {key[1] for key in samples} == {"second"}


def one_target(url: str, **more: object) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f"interval: 0.3\ntimeout: 0.25\ntargets:\n- {{name: a, service: chat, url: '{url}', model: tiny{extra}}}\n"


def test_wrong_answer_is_no_failure_and_is_counted(start, service):
    running = start(one_target(service.url("says")))
    assert running.wait_until_attempted("a")["llm_probe_answer_mismatches_total", "a"] == 0
    running.wait_for(1, "llm_probe_answer_matches", "a")
    service.says = "London"
    samples = running.wait_for(0, "llm_probe_answer_matches", "a")
    assert samples["llm_probe_success", "a"] == 1
    assert samples["llm_probe_answer_mismatches_total", "a"] >= 1
    reasons = {key[2] for key in samples if key[0] == "llm_probe_failures_total"}
    assert reasons == {"connect", "timeout", "http_status", "bad_stream", "no_tokens"}
    running.wait_for_log("target a: its answer is not the golden one")
    service.says = "Paris"
    running.wait_for(1, "llm_probe_answer_matches", "a")
    running.wait_for_log("target a: its answer is the golden one again")


def test_no_answer_and_no_prompt_is_on_the_page_or_in_the_log(start, service):
    running = start(one_target(service.url("says")))
    running.wait_for(1, "llm_probe_answer_matches", "a")
    service.says = "London"
    running.wait_for(0, "llm_probe_answer_matches", "a")
    seen = httpx.get(f"{running.url}/metrics").text + running.log.read_text()
    assert [text for text in ("Paris", "London", "capital") if text in seen] == []


def test_answers_that_are_not_checked_have_no_samples(start, service):
    samples = start(one_target(service.url("says"), check_answers="false")).wait_until_attempted("a")
    assert [key for key in samples if "answer" in key[0]] == []


def test_pinned_answer_is_compared_from_the_first_attempt_on(start, service):
    running = start(one_target(service.url("says"), golden="London"))
    running.wait_for(0, "llm_probe_answer_matches", "a")
    service.says = "London, of course"
    running.wait_for(1, "llm_probe_answer_matches", "a")


def test_hangup_after_the_state_file_is_gone_accepts_the_present_answer(start, service):
    running = start(one_target(service.url("says")))
    running.wait_for(1, "llm_probe_answer_matches", "a")
    service.says = "London"
    running.wait_for(0, "llm_probe_answer_matches", "a")
    running.state.unlink()
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(1, "llm_probe_answer_matches", "a")


def test_hangup_with_a_bad_state_file_keeps_what_is_known(start, service):
    running = start(one_target(service.url("says")))
    running.wait_for(1, "llm_probe_answer_matches", "a")
    running.state.write_text("nonsense")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for_log(r"not read again.*state\.json: not a state file")
    service.says = "London"
    running.wait_for(0, "llm_probe_answer_matches", "a")


def test_sigterm_ends_at_once_with_status_0_in_the_middle_of_an_attempt(start, service):
    running = start(f"interval: 60\ntimeout: 50\ntargets:\n{targets(hangs=service.url('hangs'))}\n")
    while not service.requests:
        time.sleep(0.02)
    began = time.monotonic()
    running.process.terminate()
    assert running.process.wait(5) == 0
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--config-file is required"),
        (["--config-file", "/dev/null", "--state-file", "x"], "/dev/null: top level: must be a mapping"),
        (["--config-file", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--config-file", "x", "--listen-address", "9837"], "'9837' is not HOST:PORT"),
    ],
)
def test_unusable_command_line_ends_with_status_2_and_says_why(arguments, says):
    ended = subprocess.run(
        [sys.executable, "-m", "exporters.probe", *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_unusable_state_file_ends_with_status_2_and_says_what_to_do(tmp_path, service):
    file, state = tmp_path / "probe.yaml", tmp_path / "state.json"
    file.write_text(one_target(service.url("says")))
    state.write_text("nonsense")
    ended = subprocess.run(
        [sys.executable, "-m", "exporters.probe", "--config-file", file, "--state-file", state],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert f"{state}: not a state file of the probe" in ended.stderr
    assert "delete it to learn the golden answers anew" in ended.stderr


def test_taken_port_ends_with_status_2_and_names_the_option(tmp_path, service):
    file = tmp_path / "probe.yaml"
    file.write_text(f"targets:\n{targets(good=service.url('good'))}\n")
    taken = f"127.0.0.1:{service.server_port}"
    ended = subprocess.run(
        [sys.executable, "-m", "exporters.probe", "--config-file", file, "--listen-address", taken],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert f"cannot listen on {taken}" in ended.stderr
    assert "--listen-address" in ended.stderr
