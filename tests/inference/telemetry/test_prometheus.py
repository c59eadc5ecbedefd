"""A real Prometheus scrapes the service: exemplars lead from a latency to its trace."""

import socket
import subprocess

import httpx
import pytest

from exporters.catalogue import llm

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: inference
  static_configs: [{{targets: ['{target}']}}]
"""


@pytest.fixture
def prometheus(service, tool, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION.format(target=service.url.removeprefix("http://")))
    command = [
        str(tool("prometheus")),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        yield f"http://{address}"
        process.terminate()


def test_exemplars_of_every_latency_arrive_with_the_trace_id(service, prometheus, asking):
    latencies = (
        llm.REQUEST_DURATION,
        llm.TIME_TO_FIRST_TOKEN,
        llm.TIME_PER_OUTPUT_TOKEN,
        llm.QUEUE_TIME,
        llm.INTER_TOKEN_LATENCY,
        llm.HTTP_REQUEST_DURATION,
    )
    response = service.client.post("/v1/completions", json=asking.body("hello", 40))
    trace_id = response.headers["x-trace-id"]

    def found(metric):
        asked = {"query": metric.bucket, "start": 0, "end": "2100-01-01T00:00:00Z"}
        try:
            answer = httpx.get(f"{prometheus}/api/v1/query_exemplars", params=asked, timeout=5).json()
        except httpx.TransportError:
            return False
        shown = [one for series in answer.get("data") or () for one in series["exemplars"]]
        return any(one["labels"]["trace_id"] == trace_id for one in shown)

    for metric in latencies:
        service.until(lambda metric=metric: found(metric), seconds=20)
