"""`python -m inference.load`: the arguments, the progress and the report.

Exits 0 where every request went well (with --find-knee: where there is a knee), 1 where not, 2 on wrong arguments.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import sys
from dataclasses import replace

import httpx

from inference.load.knee import find_knee
from inference.load.plan import Lengths, Plan, lengths
from inference.load.results import Results
from inference.load.sending import Target, run


def main() -> int:
    """Send and report; the exit code."""
    given = _parser().parse_args()
    try:
        target = _target(given)
    except httpx.HTTPError as error:
        print(f"{given.url} does not answer: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    except (ValueError, LookupError, TypeError):
        print(f"{given.url} is no service of this kind: its /v1/models names no model", file=sys.stderr)
        return 1
    plan = Plan(given.rate, given.duration, given.prompt_words, given.max_tokens, given.seed, given.pattern)
    if given.find_knee:
        return _knee(target, replace(plan, duration=given.step_seconds), given.first_token_limit)
    results = Results()
    # The report says how far it came.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run_and_show(target, plan, results))
    print(json.dumps(results.as_json()) if given.json else results.report())
    return 1 if results.errors or results.open else 0


async def _run_and_show(target: Target, plan: Plan, results: Results) -> Results:
    showing = asyncio.create_task(_show(results))
    try:
        await run(target, plan, results)
    finally:
        showing.cancel()
    return results


async def _show(results: Results) -> None:
    while True:
        await asyncio.sleep(1)
        line = f"{results.seconds:6.0f} s  {results.ok} ok  {results.errors.total()} failed  {results.open} open"
        print(f"{line}  {results.tokens / results.seconds:.0f} tokens/s", file=sys.stderr)


def _knee(target: Target, plan: Plan, limit: float) -> int:
    async def attempt(rate: float) -> Results:
        results = Results()
        await run(target, replace(plan, rate=rate), results)
        return results

    try:
        knee = asyncio.run(find_knee(attempt, plan.rate, limit, lambda line: print(line, flush=True)))
    except KeyboardInterrupt:
        return 1
    if knee is None:
        print(f"no knee: {plan.rate:g} requests/s are too many already; begin with a lower --rate")
        return 1
    print(f"knee: {knee:.2f} requests/s with nine of ten first tokens within {limit * 1000:.0f} ms")
    return 0


def _target(given: argparse.Namespace) -> Target:
    """Raises httpx.HTTPError where the service does not answer, and others where its answer is no list of models."""
    key = given.api_key or os.environ.get("OPENAI_API_KEY")
    model = given.model
    if not model:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        listed = httpx.get(f"{given.url}/v1/models", headers=headers, timeout=10).raise_for_status().json()
        model = str(listed["data"][0]["id"])
    return Target(given.url, model, key, given.concurrency_limit)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference.load",
        usage="%(prog)s [options]",
        description="Sends completions at a rate that does not wait for answers, and reports how they went.",
        epilog="Lengths: a number, uniform:LEAST:MOST, exponential:MEAN or lognormal:MEDIAN:SIGMA.",
    )
    add = parser.add_argument
    add("--url", type=_url, default="http://127.0.0.1:8000", help="the service (default %(default)s)")
    add("--model", help="default: the first one that the service lists")
    add("--api-key", type=_key, help="default: the environment's OPENAI_API_KEY, if any")
    add("--rate", type=_finite, default=2.0, help="requests a second, on average (default %(default)s)")
    add("--pattern", choices=("constant", "demo"), default="constant", help="demo: waves of two minutes with bursts")
    add("--duration", type=_positive, default=60.0, help="seconds, or inf (default %(default)s)")
    add("--concurrency-limit", type=_count, default=256, help="open requests, at most (default %(default)s)")
    add("--prompt-words", type=_lengths, default="16", help="length of prompts (default %(default)s)")
    add("--max-tokens", type=_lengths, default="64", help="length of answers (default %(default)s)")
    add("--seed", type=int, default=0, help="same seed, same arrivals, prompts and lengths (default %(default)s)")
    add("--json", action="store_true", help="print the report as JSON")
    add("--find-knee", action="store_true", help="raise the rate from --rate on, until the service no longer keeps up")
    add("--step-seconds", type=_finite, default=10.0, help="length of each step to the knee (default %(default)s)")
    add(
        "--first-token-limit",
        type=_finite,
        default=0.5,
        help="late, with --find-knee, in seconds (default %(default)s)",
    )
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _finite(text: str) -> float:
    value = _positive(text)
    if math.isinf(value):
        raise argparse.ArgumentTypeError("must have an end")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text.rstrip("/").removesuffix("/v1")


def _key(text: str) -> str:
    if not text.isascii():
        raise argparse.ArgumentTypeError("a header holds ASCII alone")
    return text


def _lengths(text: str) -> Lengths:
    try:
        return lengths(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


if __name__ == "__main__":
    sys.exit(main())
