"""What looking at the boards costs Prometheus, against the queries of vLLM's own board on the same fleet: `make bench`.

Two synthetic fleets in a real Prometheus. The large one (250 engines, 2,000 GPUs) shows how long each query takes and
how many series it returns. The small one (a tenth, at the default clock) is read at the resolution that a screen shows,
and counts samples: one refresh of a board with five viewers, and the rules beneath, per second. The queries of vLLM's
board are written from its description (which panels, which quantiles), not copied.
"""

import argparse
import contextlib
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

from fleet_data import END, Fleet, canonical, native, vllm, write_blocks  # noqa: E402
from measuring import table, verdict  # noqa: E402

from tests.boards import BOARDS, RANGES, expand, panels_of  # noqa: E402

VIEWERS = 5
REFRESH_SECONDS = 10
"""Of every board here, vLLM's too, so that only what is asked differs."""
WIDTH = 1600
MOST_SERIES, MOST_SECONDS = 30, 1.0
LARGE = Fleet(engines=250, gpus=2000, scrape=15)
SMALL = Fleet(engines=25, gpus=200, scrape=5)
SCALE = LARGE.engines / SMALL.engines
HISTORY_SECONDS = 2400
"""Half an hour, and what queries look back beyond it."""
NATIVE_SECONDS = 660
"""What rules look back on the engines' own series, at most."""


def quantiles(name: str) -> list[str]:
    """A panel of percentiles and the mean of a histogram, as vLLM's board has them."""
    buckets = f"sum by (le) (rate(vllm:{name}_bucket[$rate]))"
    mean = f"rate(vllm:{name}_sum[$rate]) / rate(vllm:{name}_count[$rate])"
    return [f"histogram_quantile({share}, {buckets})" for share in (0.99, 0.95, 0.9, 0.5)] + [mean]


VLLM_BOARD = {
    "End-to-end latency": quantiles("e2e_request_latency_seconds"),
    "Token throughput": [f"rate(vllm:{kind}_tokens_total[$rate])" for kind in ("prompt", "generation")],
    "Inter-token latency": quantiles("inter_token_latency_seconds"),
    "Time per output token": quantiles("request_time_per_output_token_seconds"),
    "Scheduler": ["vllm:num_requests_running", "vllm:num_requests_waiting"],
    "Time to first token": quantiles("time_to_first_token_seconds"),
    "Cache": ["vllm:kv_cache_usage_perc"],
    "Prompt length": ["sum by (le) (increase(vllm:request_prompt_tokens_bucket[$rate]))"],
    "Answer length": ["sum by (le) (increase(vllm:request_generation_tokens_bucket[$rate]))"],
    "Finish reason": ["sum by (finished_reason) (increase(vllm:request_success_total[$rate]))"],
    "Queue": ["rate(vllm:request_queue_time_seconds_sum[$rate])"],
    "Prefill and decode": [f"rate(vllm:request_{phase}_time_seconds_sum[$rate])" for phase in ("prefill", "decode")],
    "Longest answers": ["sum by (le) (increase(vllm:request_max_num_generation_tokens_bucket[$rate]))"],
}


@dataclass
class Cost:
    """What a board cost."""

    queries: int = 0
    samples: int = 0
    slowest: tuple[float, str] = (0.0, "")
    widest: tuple[int, str] = (0, "")
    errors: list[str] = field(default_factory=list)

    def add(self, title: str, seconds: float, samples: int, series: int) -> None:
        self.queries += 1
        self.samples += samples
        self.slowest = max(self.slowest, (seconds, title))
        self.widest = max(self.widest, (series, title))


class Prometheus:
    """A running Prometheus with nothing but blocks."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, expr: str, *, seconds: float = 0, step: float = 15) -> tuple[float, int, int]:
        """Seconds, samples read and series returned of a query over the time until the data's end; 0: at its end."""
        path, asked = ("query", {"time": END}) if not seconds else ("query_range", {"start": END - seconds, "end": END})
        begun = time.perf_counter()
        answer = httpx.post(
            f"{self.url}/api/v1/{path}",
            data={"query": expr, "stats": "all", "step": step, "timeout": "60s", **asked},
            timeout=90,
        )
        took = time.perf_counter() - begun
        if answer.status_code != 200:
            raise SystemExit(f"{expr}\n{answer.text}")
        data = answer.json()["data"]
        return took, data["stats"]["samples"]["totalQueryableSamples"], len(data["result"])


@contextlib.contextmanager
def running(data: Path) -> Iterator[Prometheus]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (data / "prometheus.yml").write_text("{}")
    command = [
        tool("prometheus"),
        f"--config.file={data / 'prometheus.yml'}",
        f"--storage.tsdb.path={data / 'data'}",
        "--storage.tsdb.retention.time=3650d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/-/ready").status_code == 200:
                    break
            time.sleep(0.1)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(timeout=30)


def tool(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("INFERWATCH_BIN", ""), os.environ["PATH"])))
    return found or str(ROOT / ".inferwatch" / "bin" / name)


def step_of(seconds: float, width: int, scrape: int, points: float = math.inf) -> float:
    """As Grafana chooses it: one point a pixel, no more than the panel asks for, and never finer than the scrape."""
    return max(scrape, seconds / min(WIDTH * width / 24, points))


def ours(prometheus: Prometheus, uid: str, scrape: int) -> Cost:
    cost, seconds = Cost(), RANGES[BOARDS[uid]["time"]["from"]]
    seconds = min(seconds, 1800)  # the data is half an hour long
    for panel in panels_of(BOARDS[uid]):
        step = step_of(seconds, panel["gridPos"]["w"], scrape, panel.get("maxDataPoints", math.inf))
        series = 0
        for target in panel["targets"]:
            over = 0 if target.get("instant") else seconds
            took, samples, found = prometheus.ask(expand(target["expr"]), seconds=over, step=step)
            series = max(series, found) if panel["type"] == "table" else series + found
            cost.add(panel["title"], took, samples, series)
    return cost


def theirs(prometheus: Prometheus, scrape: int) -> Cost:
    cost, step = Cost(), step_of(1800, 12, scrape)
    rate = f"{max(step + scrape, 4 * scrape):g}s"
    for title, queries in VLLM_BOARD.items():
        for expr in queries:
            took, samples, found = prometheus.ask(expr.replace("$rate", rate), seconds=1800, step=step)
            cost.add(title, took, samples, found)
    return cost


def rules(prometheus: Prometheus) -> float:
    """Samples a second that all rules read; those on hosts and on the alerting itself have no data here."""
    read = 0.0
    for path in (ROOT / "alerts/generated").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            interval = float(group["interval"].removesuffix("s")) if group["interval"].endswith("s") else 60.0
            read += sum(prometheus.ask(rule["expr"])[1] for rule in group["rules"]) / interval
    return read


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the data, used again if it is there")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return measure(folder)


def measure(folder: Path) -> int:
    promtool = Path(tool("promtool"))
    if not (folder / "large").exists():
        count = write_blocks(canonical(LARGE), HISTORY_SECONDS, LARGE.scrape, folder / "large", promtool)
        print(f"large fleet: {LARGE.engines} engines, {LARGE.gpus} GPUs, {count} canonical series")
        both = (*canonical(SMALL), *vllm(SMALL))
        count = write_blocks(both, HISTORY_SECONDS, SMALL.scrape, folder / "small", promtool)
        print(f"small fleet: {SMALL.engines} engines, {SMALL.gpus} GPUs, {count} canonical and vLLM's series")
        raw = (*native(SMALL), *canonical(SMALL))
        count = write_blocks(raw, NATIVE_SECONDS, SMALL.scrape, folder / "rules", promtool)
        print(f"for rules: {count} of our exporters' series")
    with running(folder / "large") as prometheus:
        for uid in BOARDS:
            ours(prometheus, uid, LARGE.scrape)  # the first reading of a block maps its file
        large = {uid: ours(prometheus, uid, LARGE.scrape) for uid in BOARDS}
    with running(folder / "small") as prometheus:
        small = {uid: ours(prometheus, uid, SMALL.scrape) for uid in BOARDS}
        board = theirs(prometheus, SMALL.scrape)
    with running(folder / "rules") as prometheus:
        beneath = rules(prometheus) * SCALE
    return report(large, small, board, beneath)


def report(large: dict[str, Cost], small: dict[str, Cost], board: Cost, beneath: float) -> int:
    rows, held = [("board", "queries", "samples a refresh", "slowest query", "most series of a panel", "")], []
    for uid, cost in large.items():
        held.append(cost.slowest[0] <= MOST_SECONDS and cost.widest[0] <= MOST_SERIES)
        seconds, title = cost.slowest
        widest = f"{cost.widest[0]} ({cost.widest[1]})"
        samples = f"{small[uid].samples * SCALE / 1e6:.1f} M"
        rows.append((uid, str(cost.queries), samples, f"{seconds:.2f} s ({title})", widest, verdict(held[-1])))
    print(
        f"\nAt {LARGE.engines} engines and {LARGE.gpus} GPUs: a query at most {MOST_SECONDS:g} s, a panel at most "
        f"{MOST_SERIES} series"
    )
    print(table(rows))
    per_second = VIEWERS * SCALE / REFRESH_SECONDS
    limit = board.samples * per_second
    rows = [("with the rules", "million samples a second", "of vLLM's board", "")]
    for uid in ("fleet", "service"):
        total = small[uid].samples * per_second + beneath
        held.append(total <= limit)
        rows.append((uid, f"{total / 1e6:.2f}", f"{total / limit:.2f}", verdict(held[-1])))
    rows.append(("vLLM's board", f"{limit / 1e6:.2f}", "1", ""))
    rows.append(("our rules alone", f"{beneath / 1e6:.2f}", f"{beneath / limit:.2f}", ""))
    print(f"\n{VIEWERS} viewers, half an hour, a refresh every {REFRESH_SECONDS} s")
    print(table(rows))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
