"""Seven days of a healthy fleet, with all that a week brings, through all rules: nobody is paged.

Waves of load, deployments, a drain, restarts, long prompts, failed scrapes and a Prometheus that stands still. What
each page reads is there all the week; and the same days with a fault in them do page.
"""

import json
import math
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import promql_parser
import pytest
import yaml

from alerts.generate import render
from alerts.links import Links
from alerts.objectives import Objectives, Promise, Service
from alerts.output import write
from alerts.rules import GROUPS, catalogue
from alerts.timing import load
from exporters.catalogue.labels import SERVICE_FAULTS

STEP, DAY = 30, 86_400
TIMING = replace(
    load(),
    scrape_interval=STEP,
    scrape_timeout=29,
    evaluation_interval=STEP,
    symptom_group_wait=225,
    root_group_wait=90,
)
PROMISES = (
    Promise("chat", "availability", 0.99),
    Promise("chat", "time_to_first_token", 0.95, 2.5),
    Promise("chat", "time_per_output_token", 0.95, 0.2),
)
OBJECTIVES = Objectives({"chat": Service(needed=2, promises=PROMISES)})
HOSTS = ("node-1", "node-2", "node-3")
"""One engine with two GPUs on each; users need two of the three."""

GAPS = [(day * DAY + 40_000 + 3_600 * day, 280) for day in (0, 2, 5)]
"""Prometheus stands still: start and length in seconds. No series has a sample."""
# Start and length in seconds of each time that an engine is away, by host.
DEPLOYS = [(day * DAY + 36_000 + 600 * number, 150, host) for day in (1, 3, 5) for number, host in enumerate(HOSTS)]
DRAINS = [(2 * DAY + 50_000, 3_600, "node-2")]
"""The target is taken out of the configuration for an hour."""
RESTARTS = [(4 * DAY + 70_000, 60, "node-3"), (6 * DAY + 4_000, 60, "node-1")]
LONG_PROMPTS = (4 * DAY + 30_000, 7_200)


def within(at: float, begin: float, length: float) -> bool:
    return begin <= at < begin + length


def gap(at: int) -> bool:
    return any(within(at, begin, length) for begin, length in GAPS)


def failed_scrape(at: int, host: str) -> bool:
    """One in 97 of each host, never two in a row."""
    return (at // STEP + 31 * HOSTS.index(host)) % 97 == 0


def away(at: int, host: str) -> bool:
    return any(host == one and within(at, begin, length) for begin, length, one in (*DEPLOYS, *RESTARTS))


def drained(at: int, host: str) -> bool:
    return any(host == one and within(at, begin, length) for begin, length, one in DRAINS)


def wave(at: float) -> float:
    """Requests a second of one engine: little by night, four times as many by day."""
    return 2.5 + 1.5 * math.sin(2 * math.pi * at / DAY)


class Week:
    """Series by name, each with one value a scrape; `fault(at)` says what is broken then."""

    def __init__(self, begin: int, seconds: int, fault=lambda at: "") -> None:
        self.times = range(begin, begin + seconds, STEP)
        self.fault = fault
        self.series: dict[str, list[str]] = {}
        for host in HOSTS:
            self._engine(host)
            self._probe(host)
            self._gpus(host)
            self._node(host)
        self._alerting()

    def add(self, name: str, labels: str, value, host: str = "", engine: bool = False, counter: bool = False) -> None:
        """A series: `value(at)` is its value or, of a counter, its rate; a failed scrape of the host loses it."""
        values, total, was_there = [], 0.0, False
        for at in self.times:
            if engine and away(at, host):
                total = 0.0  # it starts anew
            amount = value(at)
            total += amount * STEP if counter and amount is not None else 0
            gone = engine and (away(at, host) or drained(at, host) or self.fault(at) == "down")
            if gap(at):
                values.append("_")
            elif gone or amount is None or (host and failed_scrape(at, host)):
                values.append("stale" if was_there else "_")
                was_there = False
            else:
                values.append(f"{total if counter else amount:.6g}")
                was_there = True
        self.series[f"{name}{{{labels}}}"] = values

    def target(self, labels: str, host: str, engine: bool = False) -> None:
        """`up`, which is there also where nothing else is."""
        values = []
        for at in self.times:
            down = failed_scrape(at, host) or (engine and (away(at, host) or self.fault(at) == "down"))
            drained_now = engine and drained(at, host)
            values.append("_" if gap(at) else "stale" if drained_now else f"{int(not down)}")
        self.series[f"up{{{labels}}}"] = values

    def _engine(self, host: str) -> None:
        place = labelled("chat", host, 'engine="inferwatch"')
        model = f'{place}, model="m"'
        genai = f'{place}, gen_ai_operation_name="chat", gen_ai_provider_name="p", gen_ai_request_model="m"'

        def long(at):
            return within(at, *LONG_PROMPTS)

        def bad(at):
            return 0.5 if self.fault(at) == "errors" else 0.001

        def slow(at):
            return 0.04 if long(at) else 0.01

        def add(name, labels, value, **kind):
            self.add(name, labels, value, host, engine=True, **kind)

        self.target(place, host, engine=True)
        add("llm_engine_steps_total", model, lambda at: 2 + wave(at), counter=True)
        add("llm_requests_running", model, lambda at: round(wave(at) * (6 if long(at) else 2)))
        add("llm_requests_waiting", model, lambda at: 5 if long(at) else 0)
        add("llm_model_loaded", model, lambda at: 1)
        add("llm_kv_cache_usage_ratio", model, lambda at: 0.9 if long(at) else 0.4)
        add("llm_generated_tokens_total", model, lambda at: 60 * wave(at), counter=True)
        add("llm_prompt_tokens_total", model, lambda at: 200 * wave(at), counter=True)
        add("llm_preemptions_total", model, lambda at: 0.05 if long(at) else 0, counter=True)
        add("llm_requests_rejected_total", f'{model}, reason="queue_full"', lambda at: 0.01, counter=True)
        duration = "gen_ai_server_request_duration_seconds_count"
        add(duration, f'{genai}, error_type=""', lambda at: wave(at) * (1 - bad(at)), counter=True)
        for kind in SERVICE_FAULTS:
            share = (lambda at: wave(at) * bad(at)) if kind == "internal_error" else lambda at: 0
            add("llm_request_errors_total", f'{model}, error_type="{kind}"', share, counter=True)
        for name, limit in (("time_to_first_token", "2.5"), ("time_per_output_token", "0.2")):
            metric = f"gen_ai_server_{name}_seconds_bucket"
            add(metric, f'{genai}, le="{limit}"', lambda at: wave(at) * (1 - slow(at)), counter=True)
            add(metric, f'{genai}, le="+Inf"', wave, counter=True)
        for index in (0, 1):
            add("llm_engine_gpu_info", f'{place}, uuid="{host}-{index}"', lambda at: 1)
        add("llm_telemetry_spans_dropped_total", f'{place}, reason="queue_full"', lambda at: 0, counter=True)

        def version(number):
            begins = next(begin for begin, _, one in DEPLOYS if one == host)
            return lambda at: 1 if (at >= begins) == (number == 2) else None

        for number in (1, 2):
            add("llm_build_info", f'{model}, version="{number}", config_hash="h"', version(number))

    def _probe(self, host: str) -> None:
        probe = labelled("probe", "node-1") + ', model="m", target="chat-' + host + '"'
        asked = f'{probe}, target_service="chat"'

        def answers(at):
            return not away(at, host) and not drained(at, host) and self.fault(at) != "down"

        self.add("llm_probe_success", asked, lambda at: int(answers(at)), "node-1")
        self.add("llm_probe_time_to_first_token_seconds", asked, lambda at: 0.2, "node-1")
        self.add("llm_probe_answer_matches", asked, lambda at: 1 if answers(at) else None, "node-1")
        self.add("llm_probe_attempts_total", probe, lambda at: 0.2, "node-1", counter=True)

    def _gpus(self, host: str) -> None:
        place = labelled("gpu-exporter", host)
        self.target(place, host)
        self.add("gpu_scrape_driver_up", place, lambda at: 1, host)
        self.add("gpu_scrape_collection_timestamp_seconds", place, lambda at: at, host)
        for index in (0, 1):
            gpu = f'{place}, gpu="{index}", uuid="{host}-{index}"'
            hot = index == 1
            self.add("gpu_up", gpu, lambda at: 1, host)
            self.add("gpu_reading_timestamp_seconds", gpu, lambda at: at, host)
            self.add("gpu_last_error_code", gpu, lambda at: None, host)
            margin = "gpu_temperature_margin_celsius"
            self.add(margin, gpu, lambda at, hot=hot: 0 if hot and self.fault(at) == "heat" else 30 - wave(at), host)
            self.add("gpu_clock_event_active", f'{gpu}, reason="hw_thermal"', lambda at: 0, host)
            for reason, share in (
                ("sw_power_cap", 0.6),
                ("hw_thermal", 0),
                ("sw_thermal", 0.01),
                ("hw_power_brake", 0),
            ):
                labels = f'{gpu}, reason="{reason}"'
                self.add("gpu_throttled_seconds_total", labels, lambda at, share=share: share, host, counter=True)
            self.add("gpu_ecc_uncorrected_errors_total", gpu, lambda at: 0, host, counter=True)
            # A user's program fails once a day: a ticket.
            seen = f'{gpu}, xid="31"'
            self.add("gpu_xid_last_seen_timestamp_seconds", seen, lambda at: at // DAY * DAY + 1, host)
            for code in (79, 119):
                never = f'{gpu}, xid="{code}"'
                self.add("gpu_xid_errors_total", never, lambda at: 0, host, counter=True)

    def _node(self, host: str) -> None:
        place = labelled("node", host)
        self.target(place, host)
        self.add("node_time_seconds", place, lambda at: at - self.times.start + 0.1, host)
        self.add("node_memory_MemAvailable_bytes", place, lambda at: (60 - 5 * wave(at)) * 1e9, host)
        self.add("node_memory_MemTotal_bytes", place, lambda at: 128e9, host)
        for mode, share in (("idle", 0.5), ("user", 0.5), ("iowait", 0), ("steal", 0)):
            cpu = f'{place}, cpu="0", mode="{mode}"'
            self.add("node_cpu_seconds_total", cpu, lambda at, share=share: share, host, counter=True)
        disk = f'{place}, device="/dev/sda", fstype="ext4", mountpoint="/"'
        self.add("node_filesystem_avail_bytes", disk, lambda at: (400 - at % DAY / DAY) * 1e9, host)
        self.add("node_filesystem_size_bytes", disk, lambda at: 1e12, host)
        self.add("node_vmstat_oom_kill", place, lambda at: 0, host)

    def _alerting(self) -> None:
        for job, build in (("prometheus", "prometheus_build_info"), ("alertmanager", "alertmanager_build_info")):
            place = labelled(job, "node-1")
            self.target(place, "node-1")
            self.add(build, f'{place}, version="3"', lambda at: 1, "node-1")
        watcher = labelled("deadman", "node-1")
        self.add("inferwatch_deadman_timeout_seconds", watcher, lambda at: 45, "node-1")
        self.target(watcher, "node-1")
        manager = labelled("alertmanager", "node-1")
        for channel in ("slack", "email", "webhook"):
            of_channel = f'{manager}, integration="{channel}"'
            for sent in ("notifications", "notification_requests"):
                self.add(f"alertmanager_{sent}_total", of_channel, lambda at: 0.01, counter=True)
            for lost in ("notifications_failed", "notification_requests_failed"):
                self.add(f"alertmanager_{lost}_total", of_channel, lambda at: 0)
        self.add("alertmanager_silences", f'{manager}, state="active"', lambda at: 0)


def labelled(service: str, host: str, extra: str = "") -> str:
    place = f'cluster="c1", namespace="n1", service="{service}", host="{host}", job="{service}", instance="{host}:1"'
    return f"{place}, {extra}" if extra else place


@pytest.fixture(scope="module")
def rules(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    write(render(TIMING, Links(), OBJECTIVES), folder)
    return folder


def paged(tool, rules, file, week, seconds) -> str:
    """What promtool says of the claim that no page fired; empty where it holds."""
    names = [build(TIMING, OBJECTIVES).name for build in GROUPS]
    fired = 'count by (alertname) (max_over_time(ALERTS{severity="page", alertstate="firing"}[%dh]))'
    case = {
        "rule_files": [str(rules / f"{name}.yml") for name in names],
        "group_eval_order": names,
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": name, "values": " ".join(values)} for name, values in week.series.items()],
                "promql_expr_test": [
                    {"expr": fired % (seconds // 3600), "eval_time": f"{seconds - STEP}s", "exp_samples": []}
                ],
            }
        ],
    }
    file.write_text(json.dumps(case))
    done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=550)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("day", range(7))
def test_nobody_is_paged_on_a_day_of_a_healthy_week(day, tool, rules, tmp_path):
    """One day at a time, with the hour before it, since no page looks back over more than an hour."""
    begin, seconds = max(0, day * DAY - 3_600), DAY + (3_600 if day else 0)

    assert paged(tool, rules, tmp_path / "case.yml", Week(begin, seconds), seconds) == ""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "length", "alert"),
    [("down", 180, "EngineDown"), ("errors", 900, "SloFastBurn"), ("heat", 180, "GpuOverheating")],
)
def test_a_fault_in_it_does_page(kind, length, alert, tool, rules, tmp_path):
    week = Week(0, DAY // 4, lambda at: kind if within(at, 12_000, length) else "")

    assert f'alertname="{alert}"' in paged(tool, rules, tmp_path / "case.yml", week, DAY // 4)


def read(expr: str) -> Iterator[str]:
    """Names of all series of an expression."""
    todo = [promql_parser.parse(expr)]
    while todo:
        node = todo.pop()
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            yield node.name
        for part in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
            child = getattr(node, part, None)
            todo += [one for one in (child if isinstance(child, (list, tuple)) else [child]) if one is not None]


ONLY_WHERE_BROKEN = {"gpu_last_error_code"}
"""Absent while all is well."""


def test_all_that_pages_read_is_there_all_the_week(rules):
    made = [rule for path in rules.glob("*.yml") for rule in yaml.safe_load(path.read_text())["groups"][0]["rules"]]
    recorded: dict[str, set[str]] = {}
    for rule in made:
        if "record" in rule:
            recorded.setdefault(rule["record"], set()).update(read(rule["expr"]))
    todo = {name for rule in made if rule.get("labels", {}).get("severity") == "page" for name in read(rule["expr"])}
    raw: set[str] = set()
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        seen.add(name)
        (todo if name in recorded else raw).update((recorded.get(name) or {name}) - seen)
        raw |= {name} - set(recorded)
    week = Week(0, DAY)
    there = {name.partition("{")[0]: values for name, values in week.series.items()}
    samples = {name: sum(value not in ("_", "stale") for value in values) for name, values in there.items()}

    assert {alert.name for alert in catalogue(TIMING, OBJECTIVES).values() if alert.severity == "page"}
    assert raw - {"ALERTS"} - ONLY_WHERE_BROKEN <= set(there)
    assert all(samples[name] > 0.9 * DAY / STEP for name in raw - {"ALERTS"} - ONLY_WHERE_BROKEN)
