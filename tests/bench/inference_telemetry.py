"""What telemetry costs the service: everything on against everything off, and FastAPI's automatic instrumentation.

    python tests/bench/inference_telemetry.py [--rounds 7]

Three services with the bench model take turns within a round, each alone at its turn; the ratio of a round is the
figure. CPU per request and per token are measured apart, without a model, where the machine's noise cannot hide them.
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
from contextlib import contextmanager
from pathlib import Path

import httpx
from measuring import NEW_TOKENS, PROMPT_TOKENS, Series, bench_model, table, verdict

from inference.api.audit import AuditLog
from inference.engine.engine import Phase, Snapshot
from inference.engine.generation import GapReason, Prompt, Timeline
from inference.telemetry.ended import EndedRequest, Exchange
from inference.telemetry.recorder import About, Recorder
from inference.telemetry.tally import Steps

SINGLE, STREAMS, PER_STREAM = 6, 8, 2
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


async def first_token(client: httpx.AsyncClient, number: int) -> float:
    """Seconds to the first byte of the text; the whole answer is read."""
    ids = [(31 * number + 7 * index) % 200 for index in range(PROMPT_TOKENS)]
    body = {"prompt": ids, "max_tokens": NEW_TOKENS, "temperature": 0, "stream": True}
    began, first = time.perf_counter(), 0.0
    async with client.stream("POST", "/v1/completions", json=body) as response:
        async for _line in response.aiter_lines():
            first = first or (time.perf_counter() - began)
    return first


async def measure(url: str) -> tuple[float, float]:
    """Tokens a second of eight streams, and the median seconds to the first token of one."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        singles = [await first_token(client, number) for number in range(SINGLE)]

        async def stream(number: int) -> None:
            for turn in range(PER_STREAM):
                await first_token(client, number * PER_STREAM + turn)

        began = time.perf_counter()
        await asyncio.gather(*map(stream, range(STREAMS)))
        tokens = STREAMS * PER_STREAM * NEW_TOKENS
        return tokens / (time.perf_counter() - began), statistics.median(singles)


def served(rounds: int, threads: int) -> list[tuple[str, ...]]:
    found: dict[str, list[tuple[float, float]]] = {OFF: [], ON: [], AUTOMATIC: []}
    with tempfile.TemporaryDirectory() as name, collector() as sink:
        folder = Path(name)
        model = bench_model(folder)
        with (
            service(OFF, model, folder, sink, threads) as off,
            service(ON, model, folder, sink, threads) as on,
            service(AUTOMATIC, model, folder, sink, threads) as automatic,
        ):
            urls = {OFF: off, ON: on, AUTOMATIC: automatic}
            for number in range(rounds + 1):
                # Each goes first, second and third in turn.
                order = sorted(urls, key=lambda key: (list(urls).index(key) + number) % 3)
                for key in order:
                    figures = asyncio.run(measure(urls[key]))
                    if number:  # The first round warms up.
                        found[key].append(figures)
    speed = {key: Series(tuple(tokens for tokens, _ in values)) for key, values in found.items()}
    first = {key: Series(tuple(1000 * seconds for _, seconds in values)) for key, values in found.items()}
    rows = []
    for key in (ON, AUTOMATIC):
        ratio, later = speed[key].over(speed[OFF]), first[key].minus(first[OFF])
        share = 0.02 * first[OFF].median
        held = (verdict(ratio.median >= 0.98), verdict(later.median <= max(1.0, share))) if key == ON else ("", "")
        budget = (">= 0.98", f"<= {max(1.0, share):.2f}") if key == ON else ("", "")
        rows.append((f"{key}: throughput over off, {STREAMS} streams", ratio.shown(3), budget[0], held[0]))
        rows.append((f"{key}: p50 first token later than off, ms", later.shown(2), budget[1], held[1]))
    rows.append(("off: tokens/s", speed[OFF].shown(0), "", ""))
    rows.append(("off: p50 first token, ms", first[OFF].shown(1), "", ""))
    return rows


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
    """CPU of a request and of a token, the sending of spans included."""
    short, long, requests = NEW_TOKENS, 16 * NEW_TOKENS, 200
    costs: dict[int, list[float]] = {short: [], long: []}
    with tempfile.TemporaryDirectory() as folder, collector() as sink:
        snapshot = Snapshot(Phase.SERVING, "", 1, 0, 1, 1, 1, 0.1)
        recorder = Recorder(About("m", gpus=("GPU-1",)), lambda: snapshot, Steps(), sink)
        audit = AuditLog(Path(folder) / "audit.log", 1)
        for number in range(rounds + 1):
            for tokens, values in costs.items():
                began = time.process_time()
                for _ in range(requests):
                    ended(tokens, recorder, audit)
                if number:
                    values.append((time.process_time() - began) / requests)
        recorder.close(2)
    request = Series(tuple(1000 * value for value in costs[short]))
    token = Series(tuple(1e6 * value for value in costs[long])).minus(Series(tuple(1e6 * v for v in costs[short])))
    token = Series(tuple(value / (long - short) for value in token.values))
    return [
        (f"CPU a request of {short} tokens, ms", request.shown(3), "<= 1.5", verdict(request.median <= 1.5)),
        ("CPU a token, us", token.shown(2), "<= 1", verdict(token.median <= 1)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch (default %(default)s)")
    parser.add_argument("--apart", action="store_true", help="only CPU per request and token")
    given = parser.parse_args()
    rows = [("figure", "median (least..most)", "budget", ""), *apart(given.rounds)]
    if not given.apart:
        rows += served(given.rounds, given.threads)
    sys.stdout.write(table(rows) + "\n")
    return 1 if any(row[-1] == "MISSED" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
