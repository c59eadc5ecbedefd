"""A broken replica pages only where its service is left with fewer healthy ones than it needs; else it is a ticket.

So does a GPU, by the replicas that compute on it.
"""

import subprocess

import pytest
import yaml

from alerts.generate import render
from alerts.links import Links
from alerts.objectives import Objectives, Service
from alerts.output import write
from alerts.timing import load

CASES = {
    # name: (needed, state of each replica, severity that EngineDown fires with)
    "the only replica": (None, [0], "page"),
    "one of two where all are needed": (None, [0, 1], "page"),
    "one of two where one is needed": (1, [0, 1], "ticket"),
    "two of two where one is needed": (1, [0, 0], "page"),
    "one of three where two are needed": (2, [0, 1, 1], "ticket"),
    "two of three where two are needed": (2, [0, 0, 1], "page"),
}


def series(replica: int, state: int) -> dict[str, str]:
    labels = f'cluster="c", namespace="n", service="chat", host="h{replica}", engine="e", job="j"'
    return {"series": f'up{{{labels}, instance="h{replica}:1"}}', "values": f"{state}x40"}


@pytest.fixture
def judged(tool, tmp_path):
    """`judged(objectives, series, tests)`: promtool finds these results of expressions at 5 s scrapes."""

    def judge(services, inputs, tests, alerts=()):
        write(render(load(), Links(), Objectives(services)), tmp_path)
        case = {
            "rule_files": [str(tmp_path / "engine.yml"), str(tmp_path / "gpu.yml")],
            "evaluation_interval": "5s",
            "group_eval_order": ["engine", "gpu"],
            "tests": [
                {
                    "interval": "5s",
                    "input_series": inputs,
                    "promql_expr_test": [
                        {"expr": expr, "eval_time": at, "exp_samples": [{"labels": "{}", "value": number}]}
                        for at, expr, number in tests
                    ],
                    "alert_rule_test": list(alerts),
                }
            ],
        }
        file = tmp_path / "case.yaml"
        file.write_text(yaml.safe_dump(case))
        done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=60)

        assert done.returncode == 0, done.stdout + done.stderr

    return judge


def firing(alert, severity):
    return f'count(ALERTS{{alertname="{alert}", alertstate="firing", severity="{severity}"}}) or vector(0)'


@pytest.mark.parametrize(("needed", "replicas", "severity"), CASES.values(), ids=CASES)
def test_severity_follows_redundancy(needed, replicas, severity, judged):
    other = "ticket" if severity == "page" else "page"

    judged(
        {"chat": Service(needed)},
        [series(replica, state) for replica, state in enumerate(replicas)],
        [("1m", firing("EngineDown", severity), replicas.count(0)), ("1m", firing("EngineDown", other), 0)],
    )


def test_a_ticket_says_that_nobody_is_hurt_and_mutes_no_service():
    rules = yaml.safe_load(render(load(), Links(), Objectives())["engine.yml"])["groups"][0]["rules"]
    page, ticket = (rule for rule in rules if rule.get("alert") == "EngineDown")
    twin = next(rule for rule in rules if rule.get("alert") == "EngineDownMutesService")

    assert page["labels"]["severity"] == "page"
    assert ticket["labels"]["severity"] == "ticket"
    assert ticket["annotations"]["impact"].startswith("Nobody yet: ")
    assert "hard" not in ticket["labels"]
    # Its state, whether it was pending before in vain, and whether it fired lately: all of pages only.
    assert twin["expr"].count('severity="page"') == twin["expr"].count("ALERTS{") == 3


EXPORTER = 'cluster="c", namespace="n", service="gpu-exporter", host="h0", job="g", instance="h0:9836"'
FALLEN_AT = 62
"""Seconds; the XID is on the page of 65 s."""
GPU_CASES = {
    # name: (needed of chat, GPUs of each replica of chat, whether the second replica answers, severity)
    "the only replica": (1, ["GPU-0"], True, "page"),
    "all replicas are needed": (None, ["GPU-0", "GPU-1"], True, "page"),
    "one of two is needed": (1, ["GPU-0", "GPU-1"], True, "ticket"),
    "one of two is needed and the other is down": (1, ["GPU-0", "GPU-1"], False, "page"),
    "one of two is needed and both are on the GPU": (1, ["GPU-0", "GPU-0"], True, "page"),
    "all are on other GPUs, so that nobody says whose it is": (1, ["GPU-1", "GPU-1"], True, "page"),
}


def fallen_gpu() -> list[dict[str, str]]:
    """GPU-0 of h0 reports XID 79 at 62 s."""
    return [
        {"series": f"gpu_scrape_collection_timestamp_seconds{{{EXPORTER}}}", "values": "0+5x300"},
        {
            "series": f'gpu_xid_last_seen_timestamp_seconds{{{EXPORTER}, gpu="0", uuid="GPU-0", xid="79"}}',
            "values": f"_x13 {FALLEN_AT}x300",
        },
    ]


def on_gpu(replica: int, uuid: str, values: str = "1x300", service: str = "chat") -> dict[str, str]:
    labels = f'cluster="c", namespace="n", service="{service}", host="h{replica}", engine="inferwatch", job="j"'
    return {"series": f'llm_engine_gpu_info{{{labels}, instance="h{replica}:1", uuid="{uuid}"}}', "values": values}


def up(replica: int, values: str = "1x300", service: str = "chat") -> dict[str, str]:
    labels = f'cluster="c", namespace="n", service="{service}", host="h{replica}", engine="inferwatch", job="j"'
    return {"series": f'up{{{labels}, instance="h{replica}:1"}}', "values": values}


@pytest.mark.parametrize(("needed", "gpus", "answers", "severity"), GPU_CASES.values(), ids=GPU_CASES)
def test_a_gpu_pages_only_where_a_service_cannot_spare_the_engines_on_it(needed, gpus, answers, severity, judged):
    other = "ticket" if severity == "page" else "page"
    replicas = [up(number, "1x300" if answers or number != 1 else "0x300") for number in range(len(gpus))]

    judged(
        {"chat": Service(needed)},
        [*fallen_gpu(), *replicas, *(on_gpu(number, uuid) for number, uuid in enumerate(gpus))],
        # From the first evaluation on: nothing is sent twice because a count came late.
        [
            test
            for at in ("65s", "70s", "75s", "5m")
            for test in (
                (at, firing("GpuFallenOffBus", severity), 1),
                (at, firing("GpuFallenOffBus", other), 0),
            )
        ],
    )


def test_a_gpu_of_two_services_pages_where_one_of_them_cannot_spare_it(judged):
    judged(
        {"chat": Service(1), "code": Service(1)},
        [
            *(*fallen_gpu(), up(0), up(1), up(2, service="code")),
            *(on_gpu(0, "GPU-0"), on_gpu(1, "GPU-1"), on_gpu(2, "GPU-0", service="code")),
        ],
        [("65s", firing("GpuFallenOffBus", "page"), 1), ("65s", firing("GpuFallenOffBus", "ticket"), 0)],
    )


def test_a_gpu_that_is_drained_as_its_ticket_asks_does_not_page_then(judged):
    judged(
        {"chat": Service(1)},
        [
            *(*fallen_gpu(), up(0), up(1), on_gpu(1, "GPU-1")),
            *(on_gpu(0, "GPU-0", "1x30 stale"), on_gpu(0, "GPU-2", "_x31 1x200")),
        ],
        [
            test
            for at in ("65s", "155s", "160s", "9m")
            for test in ((at, firing("GpuFallenOffBus", "ticket"), 1), (at, firing("GpuFallenOffBus", "page"), 0))
        ],
    )


def test_a_gpus_ticket_becomes_a_page_when_the_last_spare_replica_goes(judged):
    judged(
        {"chat": Service(1)},
        [*fallen_gpu(), up(0), up(1, "1x40 0x200"), on_gpu(0, "GPU-0"), on_gpu(1, "GPU-1")],
        [("205s", firing("GpuFallenOffBus", "page"), 1), ("200s", firing("GpuFallenOffBus", "page"), 0)],
    )


def test_a_gpus_ticket_names_what_to_drain_and_mutes_the_engine_but_no_users_symptom(judged):
    labels = {"severity": "ticket", "class": "root", "component": "gpu", "team": "inference", "cluster": "c"}
    place = {"namespace": "n", "service": "gpu-exporter", "host": "h0", "job": "g", "instance": "h0:9836"}
    texts = {
        "summary": "GPU fallen off the bus: GPU 0 on h0",
        "impact": "Nobody yet: every service on this GPU has as many healthy replicas left as it needs. One more loss "
        "may hurt users.",
        "action": "Drain chat (h0:1). Move its work elsewhere, then drain h0 and restart it.",
        "description": "The driver lost contact with GPU 0 (GPU-0): XID 79, or NVML says that the GPU is lost. It "
        "serves chat (h0:1).",
        "changed": "",
        "runbook_url": "http://127.0.0.1:8025/runbooks/GpuFallenOffBus",
        "dashboard_url": "http://127.0.0.1:3000/d/gpu/gpu?var-cluster=c&var-host=h0&var-gpu=0&viewPanel=83775",
    }
    fired = {"exp_labels": labels | place | {"gpu": "0", "uuid": "GPU-0"}, "exp_annotations": texts}

    judged(
        {"chat": Service(1)},
        [*fallen_gpu(), up(0), up(1), on_gpu(0, "GPU-0"), on_gpu(1, "GPU-1")],
        [
            ("2m", 'count(ALERTS{alertname="GpuFallenOffBusMutesInstance", instance="h0:1"})', 1),
            ("2m", 'count(ALERTS{alertname="GpuFallenOffBusMutesInstance"})', 1),
            ("2m", 'count(ALERTS{alertname="GpuFallenOffBusMutesService"}) or vector(0)', 0),
        ],
        [{"eval_time": "2m", "alertname": "GpuFallenOffBus", "exp_alerts": [fired]}],
    )
