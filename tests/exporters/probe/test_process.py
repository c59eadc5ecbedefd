"""The program itself: started, scraped, told to reload, ended."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters.catalogue import probe

BEHAVIOURS = ("good", "error_500", "hangs", "cut", "garbage", "no_text")


class Probe:
    """A running probe."""

    def __init__(self, folder: Path, config: str) -> None:
        self.file = folder / "probe.yaml"
        self.file.write_text(config)
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "exporters.probe",
                    "--config-file",
                    self.file,
                    "--listen-address",
                    "127.0.0.1:0",
                ],
                stderr=log,
            )
        self.url = self.wait_for_log(r"serving (http://\S+)/metrics")

    def wait_for_log(self, pattern: str) -> str:
        deadline = time.monotonic() + 15
        while not (found := re.search(pattern, self.log.read_text())):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return found[1] if found.groups() else found[0]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def samples(self) -> dict[tuple[str, ...], float]:
        page = httpx.get(f"{self.url}/metrics").text
        return {
            (sample.name, sample.labels["target"], *([sample.labels["reason"]] if "reason" in sample.labels else [])): (
                sample.value
            )
            for family in parse_text(page)
            for sample in family.samples
        }

    def wait_until_attempted(self, *targets: str) -> dict[tuple[str, ...], float]:
        deadline = time.monotonic() + 15
        while not all((samples := self.samples()).get(("llm_probe_success", name)) is not None for name in targets):
            assert time.monotonic() < deadline, samples
            time.sleep(0.05)
        return samples


@pytest.fixture
def start(tmp_path) -> Iterator:
    running: list[Probe] = []

    def begin(config: str) -> Probe:
        running.append(Probe(tmp_path, config))
        return running[-1]

    yield begin
    for started in running:
        started.end()


def targets(**urls: str) -> str:
    return "\n".join(f"- {{name: {name}, service: chat, url: '{url}', model: tiny}}" for name, url in urls.items())


@pytest.fixture(scope="module")
def everything(shared_service, refused_url, tmp_path_factory) -> Iterator[Probe]:
    urls = {behaviour: shared_service.url(behaviour) for behaviour in BEHAVIOURS}
    config = f"interval: 1\ntimeout: 0.5\ntargets:\n{targets(**urls, refused=refused_url)}\n"
    running = Probe(tmp_path_factory.mktemp("probe"), config)
    try:
        running.wait_until_attempted(*BEHAVIOURS, "refused")
        yield running
    finally:
        running.end()


def test_page_tells_success_and_the_reason_of_every_failure(everything):
    samples = everything.samples()
    success = {key[1]: value for key, value in samples.items() if key[0] == "llm_probe_success"}
    assert success == {"good": 1, **dict.fromkeys((*BEHAVIOURS[1:], "refused"), 0)}
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
