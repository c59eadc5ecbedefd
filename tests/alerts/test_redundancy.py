"""A broken replica pages only where its service is left with fewer healthy ones than it needs; else it is a ticket."""

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


@pytest.mark.parametrize(("needed", "replicas", "severity"), CASES.values(), ids=CASES)
def test_severity_follows_redundancy(needed, replicas, severity, tool, tmp_path):
    write(render(load(), Links(), Objectives({"chat": Service(needed)})), tmp_path)
    other = "ticket" if severity == "page" else "page"
    firing = 'count(ALERTS{alertname="EngineDown", alertstate="firing", severity="%s"})'
    case = {
        "rule_files": [str(tmp_path / "engine.yml")],
        "evaluation_interval": "5s",
        "tests": [
            {
                "interval": "5s",
                "input_series": [series(replica, state) for replica, state in enumerate(replicas)],
                "promql_expr_test": [
                    {
                        "expr": firing % severity,
                        "eval_time": "1m",
                        "exp_samples": [{"labels": "{}", "value": replicas.count(0)}],
                    },
                    {"expr": firing % other, "eval_time": "1m", "exp_samples": []},
                ],
            }
        ],
    }
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(case))
    done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_ticket_says_that_nobody_is_hurt_and_mutes_no_service():
    rules = yaml.safe_load(render(load(), Links(), Objectives())["engine.yml"])["groups"][0]["rules"]
    page, ticket = (rule for rule in rules if rule.get("alert") == "EngineDown")
    twin = next(rule for rule in rules if rule.get("alert") == "EngineDownMutesService")

    assert page["labels"]["severity"] == "page"
    assert ticket["labels"]["severity"] == "ticket"
    assert ticket["annotations"]["impact"].startswith("Nobody yet: ")
    assert "hard" not in ticket["labels"]
    assert twin["expr"].count('severity="page"') == twin["expr"].count("ALERTS{") == 2
