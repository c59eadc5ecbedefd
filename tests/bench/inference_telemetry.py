"""What telemetry costs the service: everything on against everything off, and FastAPI's automatic instrumentation.

    python tests/bench/inference_telemetry.py [--starts 3] [--rounds 8] [--ours]

All three are doors of one process with one engine (doors.py) and take turns within a round: two processes that do the
same differ in speed by more than telemetry may cost, from their start to their end. Each turn begins with requests that
are not timed, for as long as spans may wait before they are sent: whatever another door left is gone by then, and the
time that follows pays for as many spans and lines as it holds requests. The table says where the median of the rounds'
ratios lies with 95 % confidence. CPU per request and per token are measured apart, without a model, where the machine's
noise cannot hide them; what it does to them, the pace of the machine says.
"""

import argparse
import asyncio
import http.server
import json
import logging
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from doors import AUTOMATIC, OFF, ON
from measuring import NEW_TOKENS, PROMPT_TOKENS, Series, bench_model, table, verdict

from inference.api.audit import AuditLog
from inference.engine.engine import Phase, Snapshot
from inference.engine.generation import GapReason, Prompt, Timeline
from inference.telemetry.ended import EndedRequest, Exchange
from inference.telemetry.lines import log_request
from inference.telemetry.logs import LogThread
from inference.telemetry.recorder import About, Recorder
from inference.telemetry.tally import Steps
from tests.pace import addition_seconds

SINGLES, STREAMS, BATCHES = 6, 8, 4
"""Timed in each turn: lone requests, one after the other; and batches of so many streams at once."""
AFTER_FIRST = 4
"""New tokens of the lone requests: what comes after the first is no part of the time to it."""
SETTLE_SECONDS = 5.0
"""The SDK's own OTEL_BSP_SCHEDULE_DELAY, with which the service runs."""
SCRAPE_SECONDS = 15
APART_ROUNDS = 9


class Sink(http.server.BaseHTTPRequestHandler):
    """A collector that takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def started(folder: Path, model: Path, sink: str, threads: int) -> Iterator[dict[str, str]]:
    """The addresses of a running service's doors."""
    log = folder / "service.log"
    flags = ["--model", str(model), "--torch-threads", str(threads), "--max-batch-size", "16"]
    flags += ["--otel-exporter-otlp-endpoint", sink, "--audit-log", str(folder / "audit.log")]
    command = [sys.executable, str(Path(__file__).with_name("doors.py")), *flags]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout
        if not (line := process.stdout.readline()):
            raise SystemExit(f"the service ended:\n{log.read_text()}")
        urls = json.loads(line)
        _until_ready(process, urls[ON], log)
        yield urls
    finally:
        process.terminate()
        process.wait(30)


def _until_ready(process: subprocess.Popen[str], url: str, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"the service did not become ready:\n{log.read_text()}")


async def first_token(client: httpx.AsyncClient, number: int, new_tokens: int) -> float:
    """Seconds to the first byte of the text; the whole answer is read."""
    ids = [(31 * number + 7 * index) % 200 for index in range(PROMPT_TOKENS)]
    body = {"prompt": ids, "max_tokens": new_tokens, "temperature": 0, "stream": True}
    began, first = time.perf_counter(), 0.0
    async with client.stream("POST", "/v1/completions", json=body) as response:
        async for _line in response.aiter_lines():
            first = first or (time.perf_counter() - began)
    return first


async def streams(client: httpx.AsyncClient, number: int) -> None:
    """Eight streams at once, to their ends."""
    await asyncio.gather(*(first_token(client, number + stream, NEW_TOKENS) for stream in range(STREAMS)))


@dataclass(slots=True)
class Door:
    """One way into the service, and what was measured through it: a figure a round."""

    client: httpx.AsyncClient
    since_scrape: float = math.inf
    """Seconds, of those that were timed, since its metrics were last read, as Prometheus does it."""
    tokens_per_second: list[float] = field(default_factory=list)
    first_token_ms: list[float] = field(default_factory=list)

    async def turn(self, number: int) -> None:
        began = time.perf_counter()
        while time.perf_counter() - began < SETTLE_SECONDS:
            await streams(self.client, number)
        first = [await first_token(self.client, number + single, AFTER_FIRST) for single in range(SINGLES)]
        self.first_token_ms.append(1000 * statistics.median(first))
        began = time.perf_counter()
        if self.since_scrape >= SCRAPE_SECONDS:
            self.since_scrape = 0
            await self.client.get("/metrics")
        for batch in range(BATCHES):
            await streams(self.client, number + batch)
        seconds = time.perf_counter() - began
        self.since_scrape += seconds
        self.tokens_per_second.append(BATCHES * STREAMS * NEW_TOKENS / seconds)


async def served(names: tuple[str, ...], lives: int, rounds: int, threads: int) -> list[tuple[str, ...]]:
    speeds: dict[str, list[float]] = {key: [] for key in names}
    firsts: dict[str, list[float]] = {key: [] for key in names}
    with tempfile.TemporaryDirectory() as name, collector() as sink:
        model = bench_model(Path(name))
        for life in range(lives):
            with started(Path(name), model, sink, threads) as urls:
                for key, door in (await one_life({key: urls[key] for key in names}, rounds)).items():
                    speeds[key] += door.tokens_per_second
                    firsts[key] += door.first_token_ms
            print(f"{life + 1} of {lives} starts", file=sys.stderr)
    speed = {key: Series(tuple(values)) for key, values in speeds.items()}
    first = {key: Series(tuple(values)) for key, values in firsts.items()}
    latest = max(1.0, 0.02 * first[OFF].median)
    rows: list[tuple[str, ...]] = []
    for key in names[1:]:
        ratio, later = speed[key].over(speed[OFF]), first[key].minus(first[OFF])
        # FastAPI's automatic instrumentation is there to compare with; nobody promised anything for it.
        judged = (
            [(">= 0.98", judge(ratio, 0.98, least=True)), (f"<= {latest:.2f}", judge(later, latest, least=False))]
            if key == ON
            else [("", ""), ("", "")]
        )
        rows.append((f"{key}: throughput over off, {STREAMS} streams", ratio.known(3), *judged[0]))
        rows.append((f"{key}: p50 first token later than off, ms", later.known(2), *judged[1]))
    rows.append(("off: tokens/s", speed[OFF].known(0), "", ""))
    rows.append(("off: p50 first token, ms", first[OFF].known(1), "", ""))
    return rows


async def one_life(urls: dict[str, str], rounds: int) -> dict[str, Door]:
    """So many rounds through each door of one running service."""
    async with AsyncExitStack() as stack:
        doors = {}
        for key, url in urls.items():
            # A connection that idles for 5 s is closed by the service, maybe just when the next turn uses it.
            limits = httpx.Limits(keepalive_expiry=2)
            client = httpx.AsyncClient(base_url=url, timeout=60, limits=limits)
            doors[key] = Door(await stack.enter_async_context(client))
            await streams(doors[key].client, 0)
        for number in range(rounds):
            # Each goes first, second and third in turn.
            for place in range(len(doors)):
                await list(doors.values())[(number + place) % len(doors)].turn(number * STREAMS)
    return doors


def judge(series: Series, budget: float, *, least: bool) -> str:
    """A verdict by the median, and whether more rounds could turn it over."""
    low, high = series.likely
    held = verdict(series.median >= budget if least else series.median <= budget)
    return f"{held}, not settled" if low < budget < high else held


def ended(tokens: int, recorder: Recorder, audit: AuditLog) -> None:
    """One request of so many tokens, as the API reports it."""
    now = time.monotonic()
    exchange = Exchange(
        "POST", "/v1/completions", "127.0.0.1", arrived=now, arrived_ns=time.time_ns(), route="/v1/completions"
    )
    exchange.trace = recorder.began(exchange, {})
    timeline = Timeline(now, admitted=now)
    for number in range(tokens):
        timeline.token_came(now + number * 0.01, 8, lambda _moment: GapReason.DECODE)
    prompt = Prompt((1,) * PROMPT_TOKENS, tokens)
    exchange.generation = EndedRequest("text_completion", "m", "", timeline, now + tokens * 0.01, prompt)
    exchange.status, exchange.ended = 200, now + tokens * 0.01
    recorder.ended(exchange)
    log_request(exchange)
    audit.write(exchange)


def apart(rounds: int) -> list[tuple[str, ...]]:
    """CPU of a request and of a token; with its spans sent, its lines written, and what the collector here takes."""
    short, long, requests = NEW_TOKENS, 16 * NEW_TOKENS, 200
    costs: dict[int, list[float]] = {short: [], long: []}
    # Requests come here far faster than spans are sent; nothing that is dropped would be paid for.
    os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = str(100 * requests)
    lines = logging.getLogger("inference.requests")
    lines.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory() as folder, collector() as sink, Path(os.devnull).open("w") as nowhere:
        snapshot = Snapshot(Phase.SERVING, "", 1, 0, 1, 1, 1, 0.1)
        audit = AuditLog(Path(folder) / "audit.log", 1)
        for number in range(rounds + 1):
            for tokens, values in costs.items():
                recorder = Recorder(About("m", gpus=("GPU-1",)), lambda: snapshot, Steps(), sink)
                logs = LogThread("json", nowhere)
                lines.addHandler(logs.handler)
                began = time.process_time()
                for _ in range(requests):
                    ended(tokens, recorder, audit)
                recorder.close(60)
                logs.close(60)
                lines.removeHandler(logs.handler)
                if number:
                    values.append((time.process_time() - began) / requests)
    del os.environ["OTEL_BSP_MAX_QUEUE_SIZE"]
    request = Series(tuple(1000 * value for value in costs[short]))
    token = Series(tuple(1e6 * value for value in costs[long])).minus(Series(tuple(1e6 * v for v in costs[short])))
    token = Series(tuple(value / (long - short) for value in token.values))
    return [
        (f"CPU a request of {short} tokens, ms", request.known(3), "<= 1.5", verdict(request.median <= 1.5)),
        ("CPU a token, us", token.known(2), "<= 1", verdict(token.median <= 1)),
        ("this machine: a million additions of Python, ms", f"{1000 * addition_seconds():.0f}", "", ""),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=3, help="times that the service starts (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each start (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch (default %(default)s)")
    parser.add_argument("--ours", action="store_true", help="leave FastAPI's automatic instrumentation out")
    parser.add_argument("--apart", action="store_true", help="only CPU per request and token")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the services end, too
    rows = [("figure", "median (95 %)", "budget", ""), *apart(APART_ROUNDS)]
    if not given.apart:
        names = (OFF, ON) if given.ours else (OFF, ON, AUTOMATIC)
        rows += asyncio.run(served(names, given.starts, given.rounds, given.threads))
    sys.stdout.write(table(rows) + "\n")
    return 1 if any(row[-1].startswith("MISSED") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
