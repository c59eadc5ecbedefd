"""Burn rates: the windows that are solved, and goals of detection replayed through promtool from raw counters."""

import math
import subprocess
from dataclasses import replace

import pytest
import yaml

from alerts import burn_rate
from alerts.burn_rate import DAY, Pair, fast_pairs, seconds_to_notice, slow_pairs, table
from alerts.generate import render
from alerts.links import Links
from alerts.objectives import Objectives, Promise, Service
from alerts.output import write
from alerts.timing import load

MONTH = 30 * DAY
REAL = load()
LAG = burn_rate.lag(REAL)


def test_the_workbooks_page_comes_out_at_three_nines():
    assert fast_pairs(0.001, MONTH, 0.02, LAG) == (Pair(3600, 14.4),)


def test_the_workbooks_ticket_comes_out_of_a_tenth_of_the_budget():
    assert slow_pairs(MONTH, 0.1) == (Pair(3 * DAY, 1),)
    assert slow_pairs(MONTH, 0.1)[0].short == 6 * 3600


@pytest.mark.parametrize(
    ("allowed", "pairs"),
    [
        # At the real clock windows see a fault after 45 s and wait 30 s, so 225 and 825 s are left of the goals.
        # 0.5 x 225 s / 0.01 = 11250 s of budget: 6.25 times in 30 minutes. 20 % are noticed after 562 + 75 s.
        (0.01, (Pair(1800, 6.25),)),
        # 2250 s: at least twice 5 minutes. 19 % is too near to 20 %, so that goal has windows of its own: 3300 s.
        (0.05, (Pair(600, 3.75), Pair(1800, 1.83))),
        # 20 % bad burns the budget only twice too fast: no page.
        (0.1, (Pair(600, 1.87),)),
    ],
)
def test_windows_and_factors_are_solved_for_the_objective(allowed, pairs):
    assert fast_pairs(allowed, MONTH, 0.02, LAG) == pairs


@pytest.mark.parametrize("allowed", [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05])
def test_every_goal_is_met_at_every_objective_down_to_95_percent(allowed):
    pairs = fast_pairs(allowed, MONTH, 0.02, LAG)

    for goal in burn_rate.GOALS:
        noticed = seconds_to_notice(pairs, allowed, goal.bad)
        assert noticed + LAG + burn_rate.FAST_FOR <= goal.seconds + 0.01


def test_a_fault_below_the_threshold_is_never_noticed():
    assert seconds_to_notice((Pair(1800, 7.08),), 0.01, 0.07) == math.inf
    assert seconds_to_notice((Pair(1800, 7.08),), 0.01, 0.0709) < math.inf


def test_a_clock_that_is_too_slow_for_the_goals_is_refused():
    slow = replace(REAL, scrape_interval=60, scrape_timeout=50, evaluation_interval=60)

    with pytest.raises(ValueError, match="too slow to notice within 5 minutes that 50% of requests are bad"):
        fast_pairs(0.05, MONTH, 0.02, burn_rate.lag(slow))


def test_the_table_tells_of_objectives_that_a_clock_is_too_slow_for():
    slow = replace(REAL, scrape_interval=60, scrape_timeout=50, evaluation_interval=60)

    page, ticket = table((0.95,), MONTH, (0.02, 0.1), burn_rate.lag(slow))[1:]

    assert page.split() == ["95", "%", "page", *"-------", "this", "clock", "is", "too", "slow"]
    assert "%" in ticket.rsplit("windows", 1)[-1]


def test_the_table_tells_minutes_hours_and_never():
    lines = table((0.99,), MONTH, (0.02, 0.1), LAG)

    assert len(lines) == 3
    assert lines[1].split()[:6] == ["99", "%", "page", "3.1", "min", "5"]
    assert lines[1].split("   windows")[0].count(" - ") == 3
    assert lines[1].endswith("30 min: 6.250%")
    assert lines[2].endswith("3 d: 1.000%")


LABELS = 'cluster="c", namespace="n", service="chat", host="h", engine="inferwatch", job="j", instance="h:1"'
DURATION = (
    f'gen_ai_server_request_duration_seconds_count{{{LABELS}, gen_ai_request_model="m", gen_ai_operation_name="chat", '
    'gen_ai_provider_name="p", error_type="%s"}'
)
ERRORS = f'llm_request_errors_total{{{LABELS}, model="m", error_type="%s"}}'
FAULT = 2402
"""Seconds; not at an evaluation."""


def rules(tmp_path, ratio):
    promise = Promise("chat", "availability", ratio)
    write(render(REAL, Links(), Objectives({"chat": Service(promises=(promise,))})), tmp_path)
    return [str(tmp_path / name) for name in ("engine.yml", "slo.yml")]


def promtool(tool, tmp_path, ratio, series, tests):
    """Run one promtool case, with samples every 5 s."""
    case = {
        "rule_files": rules(tmp_path, ratio),
        "evaluation_interval": "5s",
        "group_eval_order": ["engine", "slo"],
        "tests": [
            {
                "interval": "5s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"expr": expr, "eval_time": f"{at}s", "exp_samples": [{"labels": "{}", "value": value}]}
                    for at, expr, value in tests
                ],
            }
        ],
    }
    file = tmp_path / "case.yaml"
    file.write_text(yaml.safe_dump(case))
    done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr


FIRING = 'count(ALERTS{alertname="SloFastBurn", alertstate="firing"}) or vector(0)'


@pytest.mark.parametrize("goal", burn_rate.GOALS, ids=lambda goal: f"{goal.bad:.0%}")
@pytest.mark.parametrize("ratio", [0.999, 0.99, 0.95])
def test_a_goal_is_met_from_raw_counters_to_the_alert(ratio, goal, tool, tmp_path):
    well = round(10 * (1 - goal.bad))
    steps = FAULT // 5
    series = {
        DURATION % "": f"0+10x{steps} {10 * steps + well}+{well}x240",
        ERRORS % "internal_error": f"0x{steps} {10 - well}+{10 - well}x240",
        # Twice as many are the clients' own doing, from the start.
        DURATION % "invalid_request": f"0+20x{steps + 240}",
        ERRORS % "invalid_request": f"0+20x{steps + 240}",
    }

    promtool(
        tool,
        tmp_path,
        ratio,
        series,
        [(FAULT - 2, FIRING, 0), (FAULT + int(goal.seconds) + 3, FIRING, 1)],
    )


def test_resets_missed_scrapes_and_clients_faults_burn_nothing(tool, tmp_path):
    series = {
        # A restart of the engine, and a scrape that failed.
        DURATION % "": "0+10x240 0+10x60 _ 620+10x178",
        ERRORS % "internal_error": "7x240 0x60 _ 0x178",
        ERRORS % "client_disconnect": "0+50x480",
        ERRORS % "rate_limited": "0+50x480",
    }
    ratio = 'max(slo:bad:rate1m{slo="chat-availability"})'

    promtool(
        tool, tmp_path, 0.999, series, [(at, expr, 0) for at in (1200, 1205, 1510, 2400) for expr in (FIRING, ratio)]
    )


def test_the_first_error_of_its_kind_counts(tool, tmp_path):
    """The histogram's series of an error appears with the error; the error counter was there before, at 0."""
    series = {
        DURATION % "": "0+10x60",
        DURATION % "oom": "_x30 30x30",
        ERRORS % "oom": "0x29 30x31",
    }

    promtool(
        tool,
        tmp_path,
        0.99,
        series,
        [
            (170, "round(max(llm:failed_requests:rate1m), 0.1)", 0.5),
            (170, "round(max(llm:valid_requests:rate1m), 0.1)", 2.5),
        ],
    )
