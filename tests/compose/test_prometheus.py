"""prometheus.yml is accepted by promtool, and a real Prometheus gives every target the labels that rules rely on."""

import contextlib
import re
import socket
import subprocess
import time

import httpx
import pytest
import yaml

from alerts.timing import load
from compose import prometheus
from compose.part import Part

HOST = "this-machine"


@pytest.fixture
def config(tmp_path):
    """Write a configuration and return its path."""

    def write(parts, version=(2, 42)):
        path = tmp_path / "prometheus.yml"
        timing = load().compressed()
        path.write_text(prometheus.render(parts, timing, prometheus.Site(tmp_path / "targets", version, HOST)))
        return path

    return write


@pytest.fixture
def alertmanager(free_port):
    return Part("alertmanager", (), f"http://127.0.0.1:{free_port()}", scraped=False)


MINE = {
    "job": "vllm",
    "cluster": "paris",
    "namespace": "prod",
    "service": "chat",
    "host": "gpu-7",
    "engine": "vllm",
    "instance": "chat-0",
}


@pytest.fixture(scope="module")
def labels(tool, tmp_path_factory):
    """Target labels by address, of a real Prometheus that watches itself and a file of the user's targets."""
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    own = Part("prometheus", (), f"http://{address}", labels={"engine": "none"})
    other = Part("alertmanager", (), "http://127.0.0.1:9", scraped=False)
    users = [
        {"targets": ["192.0.2.7:8000"]},
        {"targets": ["192.0.2.8:8000"], "labels": MINE},
        {"targets": ["192.0.2.9:8000"], "labels": {"instance": "gpu-9:8000"}},
        {"targets": ["localhost:9"], "labels": {"job": "dcgm"}},
    ]
    (folder / "targets").mkdir()
    (folder / "targets" / "mine.yml").write_text(yaml.safe_dump(users))
    timing = load().compressed()
    path = folder / "prometheus.yml"
    path.write_text(prometheus.render((other, own), timing, prometheus.Site(folder / "targets", (2, 42), HOST)))
    program = tool("prometheus")
    flags = prometheus.flags(program, path, folder / "data", address, timing)
    with subprocess.Popen([program, *flags], stderr=subprocess.DEVNULL) as process:
        yield discovered(own.url, 1 + len(users))
        process.terminate()


def discovered(url, count):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{url}/api/v1/targets", trust_env=False).raise_for_status().json()
            found = {t["discoveredLabels"]["__address__"]: t["labels"] for t in answer["data"]["activeTargets"]}
            if len(found) == count:
                return found
        time.sleep(0.1)
    pytest.fail("Prometheus did not find the targets")


def test_a_target_without_labels_gets_every_one_that_rules_rely_on(labels):
    assert labels["192.0.2.7:8000"] == {
        "cluster": "default",
        "namespace": "default",
        "service": "targets",
        "host": "192.0.2.7",
        "instance": "192.0.2.7:8000",
        "job": "targets",
    }


def test_a_part_of_the_stack_is_on_this_machine_and_a_service_of_its_own(labels):
    own = next(found for address, found in labels.items() if address.startswith("127.0.0.1:"))
    assert (own["job"], own["service"], own["host"], own["engine"]) == ("prometheus", "prometheus", HOST, "none")


def test_labels_that_a_target_sets_are_kept(labels):
    assert labels["192.0.2.8:8000"] == MINE


def test_the_instance_that_a_target_sets_names_its_host(labels):
    assert labels["192.0.2.9:8000"]["host"] == "gpu-9"


def test_a_target_on_loopback_is_on_this_machine(labels):
    assert labels["localhost:9"]["host"] == HOST
    assert labels["localhost:9"]["service"] == "dcgm"


def test_the_query_link_of_a_message_leads_to_a_page(labels):
    own = next(address for address in labels if address.startswith("127.0.0.1:"))
    answer = httpx.get(f"http://{own}/graph?g0.expr=up&g0.tab=1", trust_env=False, follow_redirects=True)
    assert answer.status_code == 200
    assert "<title>Prometheus" in answer.text


def test_promtool_accepts_the_configuration(config, alertmanager, tool):
    path = config((alertmanager, Part("inference", (), "http://127.0.0.1:8000", labels={"engine": "inferwatch"})))
    checked = subprocess.run([tool("promtool"), "check", "config", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(("version", "present"), [((2, 42), False), ((2, 55), False), ((3, 0), True), ((3, 14), True)])
def test_only_prometheus_3_is_told_how_to_read_a_page_without_a_type(version, present, config, alertmanager):
    text = config((alertmanager,), version).read_text()
    assert ("fallback_scrape_protocol: PrometheusText0.0.4" in text) is present


def test_every_scrape_is_bounded(config, alertmanager):
    jobs = yaml.safe_load(config((alertmanager,)).read_text())["scrape_configs"]
    limits = {"sample_limit", "label_limit", "label_name_length_limit", "label_value_length_limit", "body_size_limit"}
    assert all(limits <= set(job) for job in jobs)


def test_every_flag_is_one_that_prometheus_knows(tool, tmp_path):
    known = subprocess.run([tool("prometheus"), "--help"], capture_output=True, text=True)
    for flag in prometheus.flags(tool("prometheus"), tmp_path / "c", tmp_path, "127.0.0.1:9090", load()):
        assert re.search(rf"^\s+{flag.split('=')[0]}\b", known.stdout + known.stderr, re.MULTILINE), flag
