"""`worst`, judged by Prometheus' own engine."""

import json
import subprocess

import pytest

from alerts.signals import GPU_TEMPERATURE
from dashboards.queries import worst

SERIES = {
    "cool": "40+0x120",
    "hot": "80+0x120",
    "hotter": "90+0x120",
    "died hot, three minutes ago": "85+0x107 stale",
    "died hot, twenty minutes ago": "99+0x39 stale",
    "was hot, and cooled down": "95+0x99 50+0x20",
}
"""Half an hour at a sample every 15 s."""


def promtool_says(tool, folder, expr, expected):
    series = [{"series": f'{GPU_TEMPERATURE}{{host="{host}"}}', "values": values} for host, values in SERIES.items()]
    samples = [{"labels": f'{{host="{host}"}}', "value": value} for host, value in expected.items()]
    case = {"expr": expr, "eval_time": "30m", "exp_samples": samples}
    file = folder / "case.yml"
    file.write_text(json.dumps({"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": [case]}]}))
    done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rank", "count", "kept"),
    [
        ("topk", 1, {"hotter": 90}),
        ("topk", 3, {"hotter": 90, "hot": 80}),
        ("bottomk", 2, {"cool": 40, "was hot, and cooled down": 50}),
    ],
    ids=["the highest", "one that just died takes its place, and draws nothing now", "the lowest"],
)
@pytest.mark.parametrize("each", ["", "host"], ids=["after", "before it is put together"])
def test_only_the_worst_are_kept(tool, tmp_path, rank, count, kept, each):
    expr = worst(rank, count, "max by (host) ({signal})", each=each, signal=GPU_TEMPERATURE)
    promtool_says(tool, tmp_path, expr, kept)


def test_what_is_compared_may_differ_from_what_is_drawn(tool, tmp_path):
    expr = worst("topk", 1, "10 * max by (host) ({signal})", "max by (host) ({signal})", signal=GPU_TEMPERATURE)
    promtool_says(tool, tmp_path, expr, {"hotter": 900})


def test_each_signal_is_kept_where_several_are_drawn(tool, tmp_path):
    shown = "max by (host) ({one}) / max by (host) ({other})"
    expr = worst("bottomk", 6, shown, each="host", one=GPU_TEMPERATURE, other=GPU_TEMPERATURE)
    promtool_says(tool, tmp_path, expr, dict.fromkeys(("cool", "hot", "hotter", "was hot, and cooled down"), 1))
