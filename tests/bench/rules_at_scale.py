"""Do the rules keep up with 1,000 engines and 10,000 GPUs? A real Prometheus, 30 s scrapes and evaluations.

Every engine, GPU and host shows the series that rules read, and no others; pages come from a server here, a tenth of
the fleet each, with the labels that each target would have. The fleet is well: counters and clocks go on. A few GPUs
and engines are broken, so that joins and counts of what is broken have something to do. Windows of more than a few
minutes are not full by the end.

`cold` is the worst of a group's evaluations in the first hundred seconds, in which Prometheus makes every series;
`usual` and `worst` are median and maximum of all later ones. The budget is for each evaluation.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from socket import create_server
from statistics import median
from threading import Thread
from typing import Any

import promql_parser
import yaml
from measuring import table, verdict
from prometheus_client.parser import text_string_to_metric_families

from alerts.generate import render
from alerts.links import Links
from alerts.output import write
from alerts.timing import load
from compose.binaries import ensure
from compose.settings import from_environment
from exporters.catalogue import gpu, llm, probe
from exporters.catalogue.labels import ERROR_TYPES
from exporters.catalogue.metric import Metric

ROOT = Path(__file__).parents[2]
NODE_PAGE, GPU_PAGE = "tests/fixtures/exporters/node-exporter-1.5.prom", "tests/exporters/gpu/golden/h200.prom"
ENGINES, GPUS_OF_ENGINE, HOST_GPUS, ENGINES_OF_SERVICE = 1_000, 10, 8, 10
PAGES = 10
"""Targets that Prometheus really asks."""
BROKEN_GPU = 997
"""Every so many GPUs, one has its margin used up; every so many engines, one is down."""
COLD_SECONDS = 100
"""Of three evaluations: without data, of the first scrape, and of the first rates."""
NOW = "@"
"""In a page, in place of the seconds since the epoch when it is asked for: what counts or tells the time goes on."""
CLOCKS = ("node_time_seconds", gpu.COLLECTION_TIMESTAMP.name, gpu.READING_TIMESTAMP.name)
AT_REST = (llm.REQUEST_ERRORS, llm.REJECTIONS, llm.PREEMPTIONS, llm.SPANS_DROPPED)
"""Counters of what goes wrong."""
GAUGES = {llm.WAITING: 0, llm.KV_CACHE_USAGE: 0.5}
"""All others are 1."""
TIMING = replace(
    load(), scrape_interval=30, scrape_timeout=29, evaluation_interval=30, symptom_group_wait=225, root_group_wait=90
)
VALUES = {"reason": llm.REJECTION_REASONS, "error_type": ERROR_TYPES, "uuid": ()}


def read_by_rules(files: dict[str, str]) -> set[str]:
    """Names of all series in the expressions."""

    def names(node: object) -> Iterator[str]:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            yield node.name
        for part in ("lhs", "rhs", "expr", "param", "args", "vector_selector"):
            child = getattr(node, part, None)
            for one in child if isinstance(child, (list, tuple)) else (child,):
                if one is not None:
                    yield from names(one)

    rules = [rule for text in files.values() for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    return {name for rule in rules for name in names(promql_parser.parse(rule["expr"]))}


def recorded_page(path: Path, wanted: set[str]) -> list[tuple[str, dict[str, str], float]]:
    """Samples of a page that was recorded from a real exporter."""
    families = text_string_to_metric_families(path.read_text())
    return [
        (one.name, dict(one.labels), one.value) for family in families for one in family.samples if one.name in wanted
    ]


def line(name: str, labels: dict[str, str], value: float | None) -> str:
    """A sample; None: whatever time it is."""
    written = NOW if value is None or name in CLOCKS else f"{value:.10g}"
    return f"{name}{{{','.join(f'{key}={json.dumps(text)}' for key, text in labels.items())}}} {written}"


def reading(metric: Metric, labels: dict[str, str]) -> float | None:
    """What an engine that is well shows."""
    if metric in AT_REST or labels.get("error_type"):
        return 0
    return None if metric.type in ("counter", "histogram") else GAUGES.get(metric, 1)


def target(service: str, number: int, **extra: str) -> dict[str, str]:
    host = f"host-{number}"
    place = {"cluster": "c", "namespace": "n", "service": service, "host": host}
    return {**place, "job": service.partition("-")[0], "instance": f"{host}:{len(service)}", **extra}


def of_hosts(wanted: set[str], hosts: range) -> Iterator[str]:
    """Each host: its agent, and the exporter of its GPUs."""
    node = recorded_page(ROOT / NODE_PAGE, wanted)
    gpus = recorded_page(ROOT / GPU_PAGE, wanted)
    first = next(labels["gpu"] for _, labels, _ in gpus if "gpu" in labels)
    shared = [one for one in gpus if "gpu" not in one[1]]
    each = [one for one in gpus if one[1].get("gpu") == first]
    for host in hosts:
        for job, samples in (("node", node), ("gpu", shared)):
            labels = target(job, host)
            yield line("up", labels, 1)
            yield from (line(name, labels | own, value) for name, own, value in samples)
        for index in range(HOST_GPUS):
            number = host * HOST_GPUS + index
            labels = target("gpu", host) | {"gpu": str(index), "uuid": f"GPU-{number}"}
            for name, own, value in each:
                sick = number % BROKEN_GPU == 0 and name == "gpu_temperature_margin_celsius"
                yield line(name, {**own, **labels}, 0 if sick else value)


def of_engines(wanted: set[str], engines: range) -> Iterator[str]:
    """Each engine, and one probe of each service."""
    for number in engines:
        service = f"chat-{number // ENGINES_OF_SERVICE}"
        labels = target(service, number, engine="inferwatch")
        down = number % BROKEN_GPU == 0
        yield line("up", labels, 0 if down else 1)
        if not down:
            for metric in llm.METRICS:
                shown = ((name, own) for name, own in series(metric, number) if name in wanted)
                yield from (line(name, labels | own, reading(metric, own)) for name, own in shown)
        if number % ENGINES_OF_SERVICE == 0:
            asked = target("probe", number) | {"target": service, "target_service": service, "model": "m"}
            for metric in probe.METRICS:
                yield from (line(name, asked, reading(metric, {})) for name in metric.exposed if name in wanted)


def series(metric: Metric, engine: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Every series that an engine shows of a metric."""
    if metric is llm.GPU_INFO:
        numbers = range(engine * GPUS_OF_ENGINE, (engine + 1) * GPUS_OF_ENGINE)
        yield from ((metric.name, {"uuid": f"GPU-{number}"}) for number in numbers)
        return
    choices = [[(label, value) for value in VALUES.get(label, ("m",))] for label in metric.labels]
    edges = (*(f"{edge:g}" for edge in metric.buckets), "+Inf")
    for chosen in product(*choices):
        labels = dict(chosen)
        if metric.buckets:
            yield from ((metric.bucket, {**labels, "le": edge}) for edge in edges)
            yield from ((name, labels) for name in metric.exposed if name != metric.bucket)
        else:
            yield metric.name, labels


def pages(wanted: set[str], engines: int) -> list[bytes]:
    hosts = engines * GPUS_OF_ENGINE // HOST_GPUS
    made = []
    for part in range(PAGES):
        lines = [
            *of_hosts(wanted, range(part * hosts // PAGES, (part + 1) * hosts // PAGES)),
            *of_engines(wanted, range(part * engines // PAGES, (part + 1) * engines // PAGES)),
        ]
        made.append(("\n".join(lines) + "\n").encode())
    return made


def served(bodies: list[bytes], stack: ExitStack) -> int:
    """Port of a server of these pages."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies[int(self.path[1:])].replace(f"}} {NOW}\n".encode(), f"}} {time.time():.3f}\n".encode())
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Page))
    Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return server.server_port


def started(program: Path, folder: Path, page_port: int, stack: ExitStack) -> str:
    """URL of a Prometheus that asks for the pages."""
    jobs = [
        {
            "job_name": f"page-{number}",
            "honor_labels": True,
            "metrics_path": f"/{number}",
            "static_configs": [{"targets": [f"127.0.0.1:{page_port}"]}],
        }
        for number in range(PAGES)
    ]
    with create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    itself = {"job_name": "prometheus", "static_configs": [{"targets": [address]}]}
    clock = {"scrape_interval": "30s", "scrape_timeout": "29s", "evaluation_interval": "30s"}
    text = {"global": clock, "rule_files": [f"{folder}/rules/*.yml"], "scrape_configs": [*jobs, itself]}
    (folder / "prometheus.yml").write_text(json.dumps(text))
    flags = ("--storage.tsdb.path", folder / "data", "--web.listen-address", address, "--log.level", "error")
    command = [program, "--config.file", folder / "prometheus.yml", *flags]
    process = stack.enter_context(subprocess.Popen(command, cwd=folder))
    stack.callback(process.terminate)
    return f"http://{address}"


def asked(url: str, expr: str) -> dict[str, float]:
    """Values of an instant query, by rule group or job."""
    query = urllib.parse.urlencode({"query": expr})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=30) as answer:
        found = json.load(answer)["data"]["result"]
    key = ("rule_group", "job", "__name__")
    return {next((one["metric"][k] for k in key if k in one["metric"]), ""): float(one["value"][1]) for one in found}


def groups_of(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v1/rules", timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["groups"]
    return found


def series_of_an_engine() -> float:
    """All series of an engine, its GPUs and their hosts, those included that no rule reads."""
    pages_of = [text_string_to_metric_families((ROOT / page).read_text()) for page in (NODE_PAGE, GPU_PAGE)]
    names = {sample.name for page in pages_of for family in page for sample in family.samples} | {"up"}
    names |= {name for metric in (*llm.METRICS, *probe.METRICS) for name in metric.exposed}
    return sum(page.count(b"\n") for page in pages(names, HOST_GPUS * PAGES)) / (HOST_GPUS * PAGES)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", type=int, default=ENGINES, help="each with ten GPUs (%(default)s)")
    parser.add_argument("--seconds", type=float, default=330, help="how long Prometheus runs (%(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Prometheus ends, too
    binaries = from_environment(os.environ).bin_dir
    ensure(binaries, print)
    files = render(TIMING, Links())
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        write(files, folder / "rules")
        url = started(
            binaries / "prometheus", folder, served(pages(read_by_rules(files), options.engines), stack), stack
        )
        took: dict[str, dict[str, float]] = {}
        begin = time.monotonic()
        cold: set[tuple[str, str]] = set()
        while time.monotonic() < begin + options.seconds:
            time.sleep(5)
            for group in groups_of(url):
                if not group["lastEvaluation"].startswith("0001"):  # never yet
                    took.setdefault(group["name"], {})[group["lastEvaluation"]] = group["evaluationTime"]
            if time.monotonic() < begin + COLD_SECONDS:
                cold = {(name, at) for name, evaluations in took.items() for at in evaluations}
        scraped = sum(asked(url, 'scrape_samples_post_metric_relabeling{job=~"page-.*"}').values())
        recorded = sum(asked(url, "sum(prometheus_rule_group_last_evaluation_samples)").values())
        missed = sum(asked(url, "sum(prometheus_rule_group_iterations_missed_total)").values())
        failed = sum(asked(url, "sum(prometheus_rule_evaluation_failures_total)").values())
        broken = asked(url, 'count(ALERTS{alertname="GpuOverheating", alertstate="firing"})')
        firing = asked(url, 'count(ALERTS{alertstate="firing", severity!="none"})')
        engines = sum(asked(url, "count(llm:up)").values())
        rules = [(rule["evaluationTime"], rule["name"]) for group in groups_of(url) for rule in group["rules"]]
        memory = sum(asked(url, 'process_resident_memory_bytes{job="prometheus"}').values())
        cores = sum(asked(url, 'rate(process_cpu_seconds_total{job="prometheus"}[3m])').values())
    rows = [("group", "cold s", "usual s", "worst s", "budget s", "cold", "then")]
    for name, evaluations in sorted(took.items(), key=lambda one: -max(one[1].values())):
        interval = yaml.safe_load(files[f"{name}.yml"])["groups"][0]["interval"]
        half = (float(interval[:-1]) * {"s": 1, "m": 60}[interval[-1]]) / 2
        first = max(seconds for at, seconds in evaluations.items() if (name, at) in cold)
        later = [seconds for at, seconds in evaluations.items() if (name, at) not in cold]
        figures = (first, median(later), max(later))
        verdicts = (verdict(first < half), verdict(max(later) < half))
        rows.append((name, *(f"{seconds:.2f}" for seconds in figures), f"{half:g}", *verdicts))
    print(table(rows))
    fleet = f"{engines:.0f} engines, {engines * GPUS_OF_ENGINE:.0f} GPUs"
    share = recorded / engines / series_of_an_engine()
    print(f"{fleet}; {scraped:.0f} series scraped, {recorded:.0f} recorded, {share:.1%} of a whole scrape")
    print(f"Prometheus: {memory / 2**20:.0f} MiB, {cores:.2f} cores; load of the machine {os.getloadavg()[1]:.1f}")
    print(f"evaluations missed {missed:.0f}, failed {failed:.0f}; pages for broken GPUs: {sum(broken.values()):.0f}")
    print(f"alerts that fire: {sum(firing.values()):.0f}")
    for seconds, rule in sorted(rules, reverse=True)[:8]:
        print(f"slowest rules: {seconds:6.2f} s  {rule}")
    return int(any("MISSED" in row for row in rows) or bool(missed or failed) or not broken)


if __name__ == "__main__":
    sys.exit(main())
