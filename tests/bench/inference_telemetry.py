"""What telemetry costs the service: everything on against everything off, and FastAPI's automatic instrumentation.

    python tests/bench/inference_telemetry.py [--starts 8] [--rounds 8] [--ours]

These services with the bench model take turns within a round, each alone at its turn. Two processes that do the same
differ in speed by more than telemetry may cost, from their start to their end, so that rounds alone prove nothing: the
services are started again and again, the ratio of one start's medians is a figure, and the table says where the median
of these lies with 95 % confidence. CPU per request and per token are measured apart, without a model, where the
machine's noise cannot hide them.
"""

import argparse
import asyncio
import http.server
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx
from measuring import NEW_TOKENS, PROMPT_TOKENS, Series, bench_model, table, verdict

from inference.api.audit import AuditLog
from inference.engine.engine import Phase, Snapshot
from inference.engine.generation import GapReason, Prompt, Timeline
from inference.telemetry.ended import EndedRequest, Exchange
from inference.telemetry.recorder import About, Recorder
from inference.telemetry.tally import Steps

SINGLES, STREAMS, WARM_UP = 6, 8, 2
AFTER_FIRST = 4
"""New tokens of the lone requests: what comes after the first is no part of the time to it."""
APART_ROUNDS = 9
OFF, ON, AUTOMATIC = "off", "all on", "FastAPI's automatic"


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
def service(name: str, model: Path, folder: Path, sink: str, threads: int) -> Iterator[str]:
    """A running service; its address."""
    log = folder / f"{name.split()[0]}.log"
    program = [str(Path(__file__).with_name("instrumented.py"))] if name == AUTOMATIC else ["-m", "inference"]
    flags = ["--port", "0", "--model", str(model), "--torch-threads", str(threads), "--max-batch-size", "16"]
    if name == ON:
        flags += ["--otel-exporter-otlp-endpoint", sink, "--audit-log", str(folder / "audit.log")]
    else:
        flags += ["--otel-sdk-disabled", "--log-level", "warning"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *program, *flags], stderr=output, env=os.environ | {"BENCH_COLLECTOR": sink}
        )
    try:
        yield _ready(process, log, flags)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ready(process: subprocess.Popen[bytes], log: Path, flags: list[str]) -> str:
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the service with {flags} ended:\n{log.read_text()}")
        for url in _listening(process.pid):
            try:
                if httpx.get(f"{url}/ready", timeout=2).status_code == 200:
                    return url
            except httpx.HTTPError:
                pass
        time.sleep(0.1)
    raise SystemExit(f"the service did not become ready:\n{log.read_text()}")


def _listening(pid: int) -> list[str]:
    """Addresses that a process listens on: the log says it too, but not at every level."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(handle)))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]
    return [f"http://127.0.0.1:{port}" for port in ports]


async def first_token(client: httpx.AsyncClient, number: int, new_tokens: int) -> float:
    """Seconds to the first byte of the text; the whole answer is read."""
    ids = [(31 * number + 7 * index) % 200 for index in range(PROMPT_TOKENS)]
    body = {"prompt": ids, "max_tokens": new_tokens, "temperature": 0, "stream": True}
    began, first = time.perf_counter(), 0.0
    async with client.stream("POST", "/v1/completions", json=body) as response:
        async for _line in response.aiter_lines():
            first = first or (time.perf_counter() - began)
    return first


async def streams(client: httpx.AsyncClient, number: int) -> float:
    """Tokens a second of eight streams at once."""
    began = time.perf_counter()
    await asyncio.gather(*(first_token(client, number + stream, NEW_TOKENS) for stream in range(STREAMS)))
    return STREAMS * NEW_TOKENS / (time.perf_counter() - began)


async def one_life(clients: dict[str, httpx.AsyncClient], rounds: int) -> dict[str, tuple[float, float]]:
    """Tokens a second, and seconds to the first token of a lone request: medians of each service's rounds.

    They take turns request by request, so that what slows the machine for seconds slows all of them.
    """
    speed: dict[str, list[float]] = {key: [] for key in clients}
    first: dict[str, list[float]] = {key: [] for key in clients}
    for number in range(-WARM_UP, rounds):
        # Each goes first, second and third in turn.
        order = [list(clients)[(number + place) % len(clients)] for place in range(len(clients))]
        singles: dict[str, list[float]] = {key: [] for key in clients}
        for single in range(SINGLES):
            for key in order:
                singles[key].append(await first_token(clients[key], number * SINGLES + single, AFTER_FIRST))
        for key in order:
            tokens = await streams(clients[key], number * STREAMS)
            if number >= 0:
                speed[key].append(tokens)
                first[key] += singles[key]
    return {key: (statistics.median(speed[key]), statistics.median(first[key])) for key in clients}


async def served(names: tuple[str, ...], lives: int, rounds: int, threads: int) -> list[tuple[str, ...]]:
    found: dict[str, list[tuple[float, float]]] = {key: [] for key in names}
    with tempfile.TemporaryDirectory() as name, collector() as sink:
        folder = Path(name)
        model = bench_model(folder)
        for life in range(lives):
            async with AsyncExitStack() as stack:
                clients = {}
                for key in sorted(found, key=lambda key: (list(found).index(key) + life) % len(found)):
                    url = stack.enter_context(service(key, model, folder, sink, threads))
                    clients[key] = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60))
                for key, figures in (await one_life(clients, rounds)).items():
                    found[key].append(figures)
            print(f"{life + 1} of {lives} starts", file=sys.stderr)
    speed = {key: Series(tuple(tokens for tokens, _ in values)) for key, values in found.items()}
    first = {key: Series(tuple(1000 * seconds for _, seconds in values)) for key, values in found.items()}
    latest = max(1.0, 0.02 * first[OFF].median)
    rows = []
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
    audit.write(exchange)


def apart(rounds: int) -> list[tuple[str, ...]]:
    """CPU of a request and of a token, the sending of every span included, and what the collector here takes."""
    short, long, requests = NEW_TOKENS, 16 * NEW_TOKENS, 200
    costs: dict[int, list[float]] = {short: [], long: []}
    # Requests come here far faster than spans are sent; nothing that is dropped would be paid for.
    os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = str(100 * requests)
    with tempfile.TemporaryDirectory() as folder, collector() as sink:
        snapshot = Snapshot(Phase.SERVING, "", 1, 0, 1, 1, 1, 0.1)
        audit = AuditLog(Path(folder) / "audit.log", 1)
        for number in range(rounds + 1):
            for tokens, values in costs.items():
                recorder = Recorder(About("m", gpus=("GPU-1",)), lambda: snapshot, Steps(), sink)
                began = time.process_time()
                for _ in range(requests):
                    ended(tokens, recorder, audit)
                recorder.close(60)
                if number:
                    values.append((time.process_time() - began) / requests)
    del os.environ["OTEL_BSP_MAX_QUEUE_SIZE"]
    request = Series(tuple(1000 * value for value in costs[short]))
    token = Series(tuple(1e6 * value for value in costs[long])).minus(Series(tuple(1e6 * v for v in costs[short])))
    token = Series(tuple(value / (long - short) for value in token.values))
    return [
        (f"CPU a request of {short} tokens, ms", request.known(3), "<= 1.5", verdict(request.median <= 1.5)),
        ("CPU a token, us", token.known(2), "<= 1", verdict(token.median <= 1)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=8, help="times that the services start (default %(default)s)")
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
