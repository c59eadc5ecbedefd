"""Every page on clocks of 5, 15 and 30 s: quiet before its fault, there within its bound, gone when it is drained.

The hand-written cases beside this file are for 5 s; here the same faults are sampled as each clock samples them, and
judged by the arithmetic that is printed by `python -m alerts --bounds`.
"""

import json
import subprocess
from dataclasses import dataclass, replace

import pytest

from alerts.generate import render
from alerts.links import Links
from alerts.objectives import Objectives, Promise, Service
from alerts.output import write
from alerts.rules import catalogue
from alerts.timing import DELIVERY_SECONDS, NOTIFIER_SECONDS, load
from compose.binaries import version

REAL = load()
CLOCKS = {
    "5 s": REAL,
    "15 s": replace(
        REAL, scrape_interval=15, scrape_timeout=14, evaluation_interval=15, symptom_group_wait=90, root_group_wait=45
    ),
    "30 s": replace(
        REAL, scrape_interval=30, scrape_timeout=29, evaluation_interval=30, symptom_group_wait=225, root_group_wait=90
    ),
}
OBJECTIVES = Objectives({"chat": Service(promises=(Promise("chat", "availability", 0.99),))})
BEGIN, END = 302, 902
"""The fault, in seconds; not at a scrape nor at an evaluation of any clock."""


@dataclass(frozen=True)
class Series:
    """A sampled series: a gauge before, during and after the fault, or a counter by its rates."""

    name: str
    well: float | None
    ill: float | None
    counter: bool = False
    after: float | str | None = "well"

    def values(self, interval: float, until: float) -> str:
        samples, total = [], 0.0
        for number in range(int(until // interval) + 1):
            at = number * interval
            after = self.well if self.after == "well" else self.after
            now = self.ill if BEGIN <= at < END else self.well if at < BEGIN else after
            if self.counter and now is not None:
                total += now * interval
                now = total
            samples.append("_" if now is None else f"{now:g}")
        return " ".join(samples)


def target(service, host, extra=""):
    job = f'job="{service}", instance="{host}:1"'
    return f'cluster="c1", namespace="n1", service="{service}", host="{host}", {job}{extra}'


ENGINE = target("chat", "node-1", ', engine="inferwatch"')
MODEL = ENGINE + ', model="m"'
GPUS = target("gpu-exporter", "node-1")
GPU = GPUS + ', gpu="1", uuid="GPU-1"'
SPANS = 'gen_ai_operation_name="chat", gen_ai_provider_name="p", gen_ai_request_model="m"'
CLOCK_OF_GPUS = Series(f"gpu_scrape_collection_timestamp_seconds{{{GPUS}}}", 1, 1, counter=True)
FIRING = (
    '{cluster="c1", service="chat", alertname="ServiceDown", class="symptom", severity="page", alertstate="firing"}'
)

PROBE = target("probe", "node-9", ', model="m", target="a", target_service="chat"')
SILENCE = Series(f'alertmanager_silences{{{target("alertmanager", "node-9")}, state="active"}}', 1, 1)


def up(labels, ill=0.0):
    return Series(f"up{{{labels}}}", 1, ill)


def xid(code):
    """Seen at the fault's first second."""
    name = f'gpu_xid_last_seen_timestamp_seconds{{{GPU}, xid="{code}"}}'
    return (CLOCK_OF_GPUS, Series(name, None, BEGIN, after=BEGIN))


FAULTS = {
    "EngineDown": ("engine", [up(ENGINE)]),
    "EngineHung": (
        "engine service",
        [
            up(ENGINE, 1),
            Series(f"llm_engine_steps_total{{{MODEL}}}", 2, 0, counter=True),
            Series(f"llm_model_loaded{{{MODEL}}}", 1, 1),
            Series(f"llm_requests_running{{{MODEL}}}", 1, 1),
            Series(f"llm_requests_waiting{{{MODEL}}}", 0, 0),
        ],
    ),
    "ServiceCapacityLost": ("engine service", [up(ENGINE), up(target("chat", "node-2", ', engine="vllm"'), 1)]),
    "ServiceDown": ("service", [Series(f"llm_probe_success{{{PROBE}}}", 1, 0)]),
    "EngineAnswersWrong": ("service", [Series(f"llm_probe_answer_matches{{{PROBE}}}", 1, 0)]),
    "SloFastBurn": (
        "engine slo",
        [
            Series(f'gen_ai_server_request_duration_seconds_count{{{ENGINE}, {SPANS}, error_type=""}}', 10, 5, True),
            Series(f'llm_request_errors_total{{{MODEL}, error_type="oom"}}', 0, 5, counter=True),
        ],
    ),
    "GpuFallenOffBus": ("gpu", [*xid(79)]),
    "GpuMissing": ("gpu", [Series(f"gpu_scrape_driver_up{{{GPUS}}}", 1, 1), Series(f"gpu_up{{{GPU}}}", 1, 0)]),
    "GpuXidFatal": ("gpu", [*xid(119)]),
    "GpuEccUncorrectable": ("gpu", [Series(f"gpu_ecc_uncorrected_errors_total{{{GPU}}}", 0, 1, after=1)]),
    "GpuOverheating": ("gpu", [Series(f"gpu_temperature_margin_celsius{{{GPU}}}", 20, 0)]),
    "NotificationFailing": (
        "telemetry",
        [
            Series(
                f'alertmanager_notifications_failed_total{{{target("alertmanager", "node-9")}, integration="slack"}}',
                0,
                1,
                after=1,
            )
        ],
    ),
    "PrometheusIsolated": ("telemetry rollups", [up(target("node", f"node-{number}")) for number in range(3)]),
    "FleetTargetsDown": (
        "telemetry rollups",
        [up(target("node", f"node-{number}"), float(number > 2)) for number in range(10)],
    ),
    "SymptomUnexplained": ("telemetry rollups", [Series(f"ALERTS{FIRING}", None, 1, after=None), SILENCE]),
}
EVENTS = ("GpuFallenOffBus", "GpuXidFatal", "GpuEccUncorrectable", "NotificationFailing")
"""What is remembered from its first moment on: good readings begin at once."""


def test_every_page_has_a_fault_here():
    assert set(FAULTS) == {alert.name for alert in catalogue(REAL).values() if alert.severity == "page"}


@pytest.fixture(scope="module", params=CLOCKS.values(), ids=CLOCKS)
def rules(request, tmp_path_factory):
    """A clock, and the folder of the rules that are generated for it."""
    folder = tmp_path_factory.mktemp("rules")
    write(render(request.param, Links(), OBJECTIVES), folder)
    return request.param, folder


def judged(promtool, name, rules, file):
    timing, folder = rules
    groups, inputs = FAULTS[name]
    alert = catalogue(timing, OBJECTIVES)[name]
    step = timing.evaluation_interval
    wait = timing.symptom_group_wait if alert.cls == "symptom" else timing.root_group_wait
    within = alert.bound(timing) - alert.delay - wait - NOTIFIER_SECONDS - DELIVERY_SECONDS
    well_at = (BEGIN if name in EVENTS else END) + alert.drain(timing)
    firing = f'count(ALERTS{{alertname="{name}", alertstate="firing", severity="page"}}) or vector(0)'
    checks = ((BEGIN, 0), (BEGIN + within + step, 1), (well_at + step, 0))
    case = {
        "rule_files": [str(folder / f"{group}.yml") for group in groups.split()],
        "group_eval_order": groups.split(),
        "evaluation_interval": f"{step:g}s",
        "tests": [
            {
                "interval": f"{timing.scrape_interval:g}s",
                "input_series": [
                    {"series": one.name, "values": one.values(timing.scrape_interval, checks[-1][0])} for one in inputs
                ],
                "promql_expr_test": [
                    {
                        "expr": firing,
                        "eval_time": f"{int(at // step * step)}s",
                        "exp_samples": [{"labels": "{}", "value": number}],
                    }
                    for at, number in checks
                ],
            }
        ],
    }
    file.write_text(json.dumps(case))  # which is YAML, too
    return subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_is_on_time_on_every_clock(name, rules, tool, tmp_path):
    done = judged(tool("promtool"), name, rules, tmp_path / "case.yml")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_a_page_is_on_time_on_every_clock_of_prometheus_3(name, rules, debian, tmp_path):
    promtool = debian("sid", "promtool") / "usr" / "bin" / "promtool"
    if (found := version(promtool)) is None or found < (3, 0):
        pytest.skip(f"no promtool 3.x: that of sid is {found}, or does not run here")
    done = judged(promtool, name, rules, tmp_path / "case.yml")

    assert done.returncode == 0, done.stdout + done.stderr
