"""Restarting any service but the engine, under load: no request lost and nobody paged.

At the real clock, since that is the claim. On the compressed one an engine is down after three answers of over 0.9 s,
which two cores give rightly while they start containers.
"""

import json
import time

import pytest

from compose import inside
from compose.containers import docker

pytestmark = pytest.mark.timeout(400, func_only=True)  # without its images, see test_containers.py

CLOCK = "real"
SETTLED_SECONDS = 60
"""Past the `for` of EngineDown and ServiceDown, and the longest wait of a first message: then a page would be there."""


def test_a_restart_of_any_other_service_costs_no_request_and_pages_nobody(running) -> None:
    parts = [part.name for part in inside.parts(running.left_out) if part.name not in {"inference", "inbox"}]
    loading = running.load(seconds=12 * len(parts))
    try:
        for part in [*parts, "verify"]:
            running.stack.compose("restart", part)
            running.stack.compose("up", "--wait", "--no-deps", "--no-recreate", part)
        served = float(running.query("llm_generated_tokens_total")[0]["value"][1])
    finally:
        report, _ = loading.communicate(timeout=200)
    assert loading.returncode == 0, report
    time.sleep(SETTLED_SECONDS)
    firing = running.query("max_over_time(ALERTS{alertstate='firing', severity='page'}[10m])")
    assert [one["metric"]["alertname"] for one in firing] == []
    assert [one.title for one in running.messages()] == []
    # Prometheus has its data from before its own restart, and goes on.
    assert float(running.query("count_over_time(up{job='prometheus'}[10m])")[0]["value"][1]) > 20
    assert float(running.query("llm_generated_tokens_total")[0]["value"][1]) > served


def test_memory_has_room_after_load(running) -> None:
    lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemPerc}} {{.MemUsage}}").splitlines()
    used = {
        line.split()[0].removeprefix(f"{running.project}-"): line.split()[1:]
        for line in lines
        if running.project in line
    }
    print(json.dumps(used))
    assert [name for name, (share, *_) in used.items() if float(share.rstrip("%")) > 60] == []
