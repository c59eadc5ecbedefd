"""Each alert opens the panel that shows its condition: the panel's own query is at a bad value while the alert fires.

Judged by Prometheus' own engine, on the series of the cases that prove the alert (tests/alerts/*.yml).
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from alerts.boards import PANELS
from alerts.rules import catalogue
from alerts.timing import load
from tests.boards import BOARDS, opened, panels_of, trouble

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests/alerts").glob("*.yml"))
ALERTS = [name for name, alert in catalogue(load()).items() if alert.severity != "none"]
BROKEN_FROM_THE_START = {
    "EngineModelNotLoaded",
    "EngineQueueBacklog",
    "EngineKvCacheSaturated",
    "EngineConfigDrift",
    "GpuPcieDegraded",
    "HostDiskFull",
    "HostClockSkew",
    "TargetDown",
    "ExporterStale",
}
"""Alerts whose case begins with the fault."""


def firing() -> Iterator[tuple[str, Path, dict[str, object], str, str]]:
    """For each alert the first case in which it fires: its file, its series, when, and the link of the message."""
    seen = set()
    for path in CASES:
        document = yaml.safe_load(path.read_text())
        for test in document["tests"]:
            for case in test.get("alert_rule_test", ()):
                name = case["alertname"]
                texts = [one.get("exp_annotations", {}) for one in case.get("exp_alerts", ())]
                if name not in seen and any("dashboard_url" in one for one in texts):
                    seen.add(name)
                    yield name, path, document | {"tests": [test]}, case["eval_time"], texts[0]["dashboard_url"]


FIRING = {name: rest for name, *rest in firing() if name in ALERTS}


def test_every_alert_that_reaches_people_opens_a_panel():
    assert set(PANELS) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_a_panel_is_where_its_alert_says(alert):
    panel, _ = opened(FIRING[alert][3])
    assert panel["title"] == PANELS[alert]


def judge(alert, when, expected, tool, folder):
    """Have promtool say whether the alert's panel shows trouble at a moment of its case."""
    path, document, _, url = FIRING[alert]
    panel, chosen = opened(url)
    [test] = document["tests"]
    sample = {"expr": trouble(panel, chosen), "eval_time": when, "exp_samples": [{"labels": "{}", "value": expected}]}
    rules = [str((path.parent / file).resolve()) for file in document["rule_files"]]
    given = {key: test[key] for key in ("name", "interval", "input_series", "external_labels") if key in test}
    case = folder / "case.yml"
    case.write_text(
        json.dumps(document | {"rule_files": rules, "tests": [given | {"promql_expr_test": [sample]}]}, default=str)
    )
    done = subprocess.run([tool("promtool"), "test", "rules", case], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_a_panel_is_at_a_bad_value_while_its_alert_fires(alert, tool, tmp_path):
    judge(alert, FIRING[alert][2], 1, tool, tmp_path)


@pytest.mark.parametrize("alert", [alert for alert in ALERTS if alert not in BROKEN_FROM_THE_START])
def test_a_panel_is_at_no_bad_value_before_the_fault(alert, tool, tmp_path):
    judge(alert, "0s", 0, tool, tmp_path)


def test_a_panel_of_an_alert_links_to_its_runbook():
    for alert, title in PANELS.items():
        [panel] = [one for one in panels_of(BOARDS[FIRING[alert][3].split("/")[4]]) if one["title"] == title]
        assert f"${{runbooks:raw}}/{alert}" in [link["url"] for link in panel["links"]]
