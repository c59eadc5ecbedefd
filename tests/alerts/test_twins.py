"""Every inhibitor twin of the catalogue, by promtool: it mutes in its own cluster, for as long as its root and a tail.

A blip, which was never more than pending, mutes for no moment longer; a root of equal names elsewhere mutes nothing.
"""

import json
import subprocess

import pytest

from alerts.generate import render
from alerts.links import Links
from alerts.output import write
from alerts.rules import catalogue, groups
from alerts.rules.inhibitors import tail_seconds, twin_name
from alerts.timing import load

TIMING = load()
KNOWN = catalogue(TIMING)
GROUP_OF = {alert.name: group.name for group in groups(TIMING) for alert in group.alerts}
ROOTS = [alert for alert in KNOWN.values() if alert.mutes]
NAMES = 'namespace="n", service="s", host="h", job="j", instance="i"'
BLIP, LASTS = 10, 60
"""Seconds for which the root is there: too short for its `for`; and as long as a GPU's keep_firing_for, so that its
condition may be long over."""


def tails(root):
    """Seconds that each of its twins outlives it."""
    muted = {}
    for mute in root.mutes:
        muted.setdefault(twin_name(root, mute), []).append(KNOWN[mute.alert])
    return {name: tail_seconds(alerts, TIMING) for name, alerts in muted.items()}


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    write(render(TIMING, Links()), folder)
    return folder


@pytest.fixture
def twins_at(tool, rules, tmp_path):
    """`twins_at(root, state, lasts, checks)`: promtool finds these twins, in cluster c1 alone, at these seconds."""

    def check(root, state, lasts, checks):
        alert = f'alertname="{root.name}", alertstate="{state}", severity="{root.severity}"'
        # The GPU and engine of that name are in both clusters, the root in one.
        inputs = [(f'ALERTS{{{alert}, cluster="c1", {NAMES}, uuid="u", slo="o"}}', f"1x{lasts // 5} stale")]
        for name in ("c1", "c2"):
            inputs.append((f'llm:engine_gpu:info{{cluster="{name}", {NAMES}, uuid="u"}}', "1x400"))
            # Another root's name: this one's would raise the alert itself.
            inputs.append((f'gpu:root{{cluster="{name}", {NAMES}, uuid="u", root="other"}}', "1 stale"))
        case = {
            "rule_files": [str(rules / f"{GROUP_OF[root.name]}.yml")],
            "evaluation_interval": "5s",
            "tests": [
                {
                    "interval": "5s",
                    "input_series": [{"series": name, "values": values} for name, values in inputs],
                    "promql_expr_test": [
                        {
                            "expr": f'count by (alertname, cluster) (ALERTS{{alertname=~"{root.name}Mutes.+"}})',
                            "eval_time": f"{at}s",
                            "exp_samples": [
                                {"labels": f'{{alertname="{name}", cluster="c1"}}', "value": 1} for name in there
                            ],
                        }
                        for at, there in checks
                    ],
                }
            ],
        }
        file = tmp_path / "case.yml"
        file.write_text(json.dumps(case))
        done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=60)

        assert done.returncode == 0, done.stdout + done.stderr

    return check


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_a_blip_mutes_no_longer_than_it_lasts(root, twins_at):
    twins_at(root, "pending", BLIP, [(BLIP, tails(root)), (BLIP + 5, ())])


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_a_root_that_fired_mutes_until_its_symptoms_have_cleared(root, twins_at):
    ends = {name: LASTS + seconds for name, seconds in tails(root).items()}
    around = sorted({int(end) // 5 * 5 + moment for end in ends.values() for moment in (-5, 10)})
    checks = [(at, [name for name, end in ends.items() if end >= at]) for at in (LASTS, *around)]

    twins_at(root, "firing", LASTS, checks)


def test_no_edge_crosses_clusters():
    assert ROOTS
    assert {mute.equal[0] for root in ROOTS for mute in root.mutes} == {"cluster"}
