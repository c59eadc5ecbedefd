"""`python -m inference.load`: sends completions at a rate that does not wait for answers, and reports how they went.

Open loop: a slow service gets no fewer requests, as real users would not wait for each other. Works against every
service with OpenAI's streaming completions. Tokens are counted as pieces of the stream, whatever the engine.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx

_TIMEOUT_SECONDS = 120.0
_WORDS = ("storm", "river", "lamp", "seven", "quiet", "market", "copper", "window", "orchard", "signal")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send."""

    url: str
    model: str
    rate: float
    """Requests a second, on average; arrivals are a Poisson process."""
    duration: float
    """Seconds in which requests are started."""
    concurrency_limit: int
    """Arrivals beyond so many open requests are not sent, and counted."""
    prompt_words: int
    max_tokens: int
    seed: int


@dataclass(slots=True)
class Results:
    """What came back. Times are in seconds."""

    started: float = field(default_factory=time.monotonic)
    open: int = 0
    tokens: int = 0
    first_token: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def report(self) -> str:
        """The summary, several lines."""
        seconds = time.monotonic() - self.started
        lines = [
            f"{len(self.total)} ok, {self.errors.total()} failed, {self.open} unfinished in {seconds:.1f} s",
            *(f"  {count} x {kind}" for kind, count in self.errors.most_common()),
            f"first token  {_percentiles(self.first_token)}",
            f"whole answer {_percentiles(self.total)}",
            f"{self.tokens / seconds:.1f} tokens/s",
        ]
        return "\n".join(lines)


async def run(plan: Plan, results: Results) -> None:
    """Send what the plan says and wait for the answers; `results` is filled as they come."""
    chance = random.Random(plan.seed)  # noqa: S311 - nothing secret
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=plan.concurrency_limit)
    progress = asyncio.create_task(_show(results))
    try:
        async with (
            httpx.AsyncClient(base_url=plan.url, timeout=_TIMEOUT_SECONDS, limits=limits) as client,
            asyncio.TaskGroup() as requests,
        ):
            async for prompt in _arrivals(plan, chance):
                if results.open >= plan.concurrency_limit:
                    results.errors["not sent: concurrency limit"] += 1
                else:
                    results.open += 1
                    requests.create_task(_request(client, plan, prompt, results))
    finally:
        progress.cancel()


async def _arrivals(plan: Plan, chance: random.Random) -> AsyncIterator[str]:
    begin, due = time.monotonic(), 0.0
    while (due := due + chance.expovariate(plan.rate)) < plan.duration:
        await asyncio.sleep(max(0.0, begin + due - time.monotonic()))
        yield " ".join(chance.choices(_WORDS, k=plan.prompt_words))


async def _request(client: httpx.AsyncClient, plan: Plan, prompt: str, results: Results) -> None:
    started = time.monotonic()
    try:
        error = await _stream(client, plan, prompt, results)
    except httpx.HTTPError as broken:
        error = type(broken).__name__
    finally:
        results.open -= 1
    if error:
        results.errors[error] += 1
    else:
        results.total.append(time.monotonic() - started)


async def _stream(client: httpx.AsyncClient, plan: Plan, prompt: str, results: Results) -> str:
    """Read one answer; what went wrong, or nothing."""
    body = {"model": plan.model, "prompt": prompt, "max_tokens": plan.max_tokens, "stream": True}
    started, first, done = time.monotonic(), True, False
    async with client.stream("POST", "/v1/completions", json=body) as response:
        if response.status_code != 200:
            return f"HTTP {response.status_code}"
        async for line in response.aiter_lines():
            data = line.removeprefix("data: ")
            if not data:
                continue
            if data == "[DONE]":
                done = True
            elif "error" in (chunk := json.loads(data)):
                return f"broke off: {chunk['error'].get('code')}"
            elif chunk["choices"]:
                results.tokens += 1
                if first:
                    results.first_token.append(time.monotonic() - started)
                    first = False
    return "" if done else "ended without [DONE]"


async def _show(results: Results) -> None:
    while True:
        await asyncio.sleep(1)
        seconds = time.monotonic() - results.started
        line = f"{seconds:6.0f} s  {len(results.total)} ok  {results.errors.total()} failed  {results.open} open"
        sys.stderr.write(f"{line}  {results.tokens / seconds:.0f} tokens/s\n")


def _percentiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    return "  ".join(
        f"p{share} {ordered[int(share / 100 * (len(ordered) - 1))] * 1000:.0f} ms" for share in (50, 90, 99)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.load", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--url", default="http://127.0.0.1:8000", help="the service (default %(default)s)")
    add("--model", help="default: the first one that the service lists")
    add("--rate", type=_positive, default=2.0, help="requests a second (default %(default)s)")
    add("--duration", type=_positive, default=60.0, help="seconds (default %(default)s)")
    add("--concurrency-limit", type=int, default=256, help="open requests, at most (default %(default)s)")
    add("--prompt-words", type=int, default=16, help="length of a prompt (default %(default)s)")
    add("--max-tokens", type=int, default=64, help="length of an answer (default %(default)s)")
    add("--seed", type=int, default=0, help="same seed, same arrivals and prompts (default %(default)s)")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _plan(given: argparse.Namespace) -> Plan:
    """Raises httpx.HTTPError where the service does not answer."""
    values = vars(given)
    if not values["model"]:
        listed = httpx.get(f"{values['url']}/v1/models", timeout=10).raise_for_status().json()
        values["model"] = listed["data"][0]["id"]
    return Plan(**values)


def main() -> int:
    """Send, report, and exit 0 where every request went well, else 1."""
    given = _parser().parse_args()
    try:
        plan = _plan(given)
    except httpx.HTTPError as error:
        sys.stderr.write(f"{given.url} does not answer: {error}\n")
        return 1
    results = Results()
    # The report says how far it came.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(plan, results))
    sys.stdout.write(results.report() + "\n")
    return 1 if results.errors or results.open else 0


if __name__ == "__main__":
    sys.exit(main())
