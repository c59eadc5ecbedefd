"""Collector, Tempo, Loki and Grafana's data sources: none of them runs where these tests do, so files are read."""

from pathlib import Path
from typing import Any

import yaml

from compose.verify import SOURCES

FOLDER = Path(__file__).parents[2] / "compose"


def read(path: str) -> Any:
    return yaml.safe_load((FOLDER / path).read_text())


COLLECTOR = read("collector/config.yaml")
SERVICES = read("compose.yaml")["services"]


def test_every_component_of_a_pipeline_is_defined_and_every_defined_one_is_used() -> None:
    pipelines = COLLECTOR["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[kind]} == set(COLLECTOR[kind]), kind
    assert set(COLLECTOR["service"]["extensions"]) == set(COLLECTOR["extensions"])


def test_the_collector_carries_traces_and_logs_and_never_a_metric() -> None:
    assert set(COLLECTOR["service"]["pipelines"]) == {"traces", "logs"}


def test_memory_is_guarded_before_anything_else() -> None:
    assert {pipeline["processors"][0] for pipeline in COLLECTOR["service"]["pipelines"].values()} == {"memory_limiter"}


def test_what_cannot_be_sent_is_tried_again_and_waits_on_disk() -> None:
    mounted = [mount for mount in SERVICES["otel-collector"]["volumes"] if isinstance(mount, str)]
    directory = COLLECTOR["extensions"]["file_storage"]["directory"]
    assert mounted == [f"collector-data:{directory}"]
    for exporter in COLLECTOR["exporters"].values():
        assert exporter["retry_on_failure"]["enabled"] is True
        assert exporter["sending_queue"]["storage"] == "file_storage"


def test_a_trace_is_waited_for_longer_than_the_longest_request() -> None:
    def default(service: str, variable: str) -> float:
        return float(SERVICES[service]["environment"][variable].partition(":-")[2].rstrip("s}"))

    assert COLLECTOR["processors"]["tail_sampling"]["decision_wait"] == "${env:TRACE_DECISION_WAIT}"
    assert default("otel-collector", "TRACE_DECISION_WAIT") > default("inference", "REQUEST_TIMEOUT_SECONDS")


def test_traces_with_an_error_and_slow_ones_are_always_kept() -> None:
    policies = {policy["type"]: policy for policy in COLLECTOR["processors"]["tail_sampling"]["policies"]}
    assert policies["status_code"]["status_code"]["status_codes"] == ["ERROR"]
    assert policies["latency"]["latency"]["threshold_ms"] == 5000


def test_what_collects_sends_to_where_the_stores_listen() -> None:
    tempo, loki = read("tempo/tempo.yaml"), read("loki/loki.yaml")
    listens = tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    exporters = COLLECTOR["exporters"]
    assert exporters["otlp_http/tempo"]["endpoint"] == f"http://tempo:{listens}"
    assert exporters["otlp_http/loki"]["endpoint"] == f"http://loki:{loki['server']['http_listen_port']}/otlp"


def test_traces_and_logs_end_after_three_days_and_nobody_is_told_of_their_use() -> None:
    tempo, loki = read("tempo/tempo.yaml"), read("loki/loki.yaml")
    assert tempo["overrides"]["defaults"]["compaction"]["block_retention"] == "72h"
    assert loki["limits_config"]["retention_period"] == "72h"
    assert loki["compactor"]["retention_enabled"] is True
    assert tempo["usage_report"] == loki["analytics"] == {"reporting_enabled": False}


def test_what_tempo_and_loki_store_lies_in_their_volumes() -> None:
    tempo, loki = read("tempo/tempo.yaml"), read("loki/loki.yaml")
    places = [*(part["path"] for part in tempo["storage"]["trace"].values() if isinstance(part, dict))]
    places.append(tempo["metrics_generator"]["storage"]["path"])
    assert all(place.startswith("/var/tempo/") for place in places)
    assert "tempo-data:/var/tempo" in SERVICES["tempo"]["volumes"]
    assert loki["common"]["path_prefix"] == "/loki"
    assert "loki-data:/loki" in SERVICES["loki"]["volumes"]


SOURCE = {one["uid"]: one for one in read("grafana/provisioning/datasources/inferwatch.yaml")["datasources"]}


def test_data_sources_have_the_uids_that_boards_name_and_lead_to_the_services() -> None:
    assert set(SOURCE) == set(SOURCES)
    for uid, source in SOURCE.items():
        inner = [port.rpartition(":")[2] for port in SERVICES[uid]["ports"]]
        assert source["url"] == f"http://{uid}:{inner[0]}"
        assert source["editable"] is False


def test_a_metric_leads_to_its_trace_a_trace_to_its_logs_and_a_log_line_back() -> None:
    assert SOURCE["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]["datasourceUid"] == "tempo"
    assert SOURCE["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert SOURCE["tempo"]["jsonData"]["serviceMap"]["datasourceUid"] == "prometheus"
    assert SOURCE["loki"]["jsonData"]["derivedFields"][0]["datasourceUid"] == "tempo"


def test_the_service_graph_has_somewhere_to_go() -> None:
    (sink,) = read("tempo/tempo.yaml")["metrics_generator"]["storage"]["remote_write"]
    assert sink["url"] == "http://prometheus:9090/api/v1/write"
    assert any(flag.startswith("--web.enable-remote-write-receiver") for flag in SERVICES["prometheus"]["command"])
