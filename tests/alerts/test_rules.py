"""The generated rules: committed as generated, loadable, and right by promtool's own engine."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from alerts.generate import render
from alerts.links import Links
from alerts.output import write
from alerts.timing import Timing, load

ROOT = Path(__file__).parents[2]
CASES = sorted(Path(__file__).parent.glob("*.yml"))


def test_the_committed_rules_are_what_the_generator_writes():
    committed = {path.name: path.read_text() for path in (ROOT / "alerts/generated").iterdir()}

    assert committed == render(load(), Links())


@pytest.fixture(scope="module")
def promtool_runs(request, tool):
    """One promtool for each file that is asked for, as many at a time as there are cores."""
    promtool = tool("promtool")

    def run(cases):
        return subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, timeout=120)

    asked = [item.callspec.params["cases"] for item in request.session.items if "promtool_runs" in item.fixturenames]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {cases: pool.submit(run, cases) for cases in asked}


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_promtool_cases_pass(cases, promtool_runs):
    done = promtool_runs[cases].result()

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_cases_of_several_groups_say_in_which_order_these_are_evaluated(cases):
    """Else promtool takes them in an order that changes from run to run."""
    stated = yaml.safe_load(cases.read_text())
    files = [Path(name).stem for name in stated["rule_files"]]

    assert len(files) == 1 or stated["group_eval_order"] == files


def clock(scrape: float, group_wait: float) -> Timing:
    return replace(
        load(),
        scrape_interval=scrape,
        scrape_timeout=scrape - 1,
        evaluation_interval=scrape,
        symptom_group_wait=group_wait,
        root_group_wait=3 * scrape,
    )


@pytest.mark.parametrize(
    "timing",
    [load().at("compressed"), load().at("relaxed"), load(), clock(15, 90), clock(30, 225)],
    ids=["1 s", "2 s", "5 s", "15 s", "30 s"],
)
def test_rules_load_for_other_scrape_intervals(timing, tool, tmp_path):
    write(render(timing, Links()), tmp_path)
    files = sorted(tmp_path.iterdir())
    done = subprocess.run([tool("promtool"), "check", "rules", *files], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_window_holds_fewer_than_three_scrapes_at_a_slow_scrape():
    rules = render(clock(30, 225), Links())["engine.yml"]

    assert 'rate(llm_engine_steps_total{engine="inferwatch"}[90s])' in rules


def test_an_empty_base_leaves_the_link_out():
    rules = yaml.safe_load(render(load(), Links(grafana_url="", runbook_url=""))["gpu.yml"])["groups"][0]["rules"]
    annotations = next(rule["annotations"] for rule in rules if rule.get("alert") == "GpuOverheating")

    assert "dashboard_url" not in annotations
    assert "runbook_url" not in annotations
    assert annotations["summary"]


def test_a_link_to_the_expression_is_made_only_where_prometheus_has_an_address_of_its_own():
    def annotations(links):
        rules = yaml.safe_load(render(load(), links)["gpu.yml"])["groups"][0]["rules"]
        return next(rule["annotations"] for rule in rules if rule.get("alert") == "GpuOverheating")

    there = annotations(Links(prometheus_url="https://prometheus.example"))["query_url"]

    assert there.startswith("https://prometheus.example/graph?g0.expr=")
    assert " " not in there
    assert "{" not in there
    assert "query_url" not in annotations(Links())


def test_writing_twice_changes_nothing_and_stale_files_go(tmp_path):
    (tmp_path / "gone.yml").write_text("groups: []\n")
    files = render(load(), Links())

    assert write(files, tmp_path) == (*sorted(files), "gone.yml")
    assert write(files, tmp_path) == ()
    assert {path.name for path in tmp_path.iterdir()} == set(files)
