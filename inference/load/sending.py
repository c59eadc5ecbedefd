"""Sends a plan's requests when they are due, whatever became of those before, and notes what came back."""

import asyncio
import json
import time
from dataclasses import dataclass

import httpx

from inference.load.plan import Arrival, Plan, arrivals
from inference.load.results import Results

_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go."""

    url: str
    model: str
    api_key: str | None = None
    concurrency_limit: int = 256
    """Arrivals beyond so many open requests are not sent, and counted."""

    def client(self) -> httpx.AsyncClient:
        """Connections to it."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self.concurrency_limit)
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=_TIMEOUT_SECONDS, limits=limits)


async def run(target: Target, plan: Plan, results: Results) -> None:
    """Send what the plan says and wait for the answers; `results` is filled as they come."""
    results.started = time.monotonic()
    async with target.client() as client, asyncio.TaskGroup() as requests:
        for arrival in arrivals(plan):
            await asyncio.sleep(max(0.0, results.started + arrival.due - time.monotonic()))
            results.sent += 1
            if results.open >= target.concurrency_limit:
                results.errors["not sent: concurrency limit"] += 1
            else:
                results.open += 1
                requests.create_task(_request(client, target.model, arrival, results))
    results.finished = time.monotonic()


async def _request(client: httpx.AsyncClient, model: str, arrival: Arrival, results: Results) -> None:
    started = time.monotonic()
    try:
        error = await _stream(client, model, arrival, results)
    except httpx.HTTPError as broken:
        error = type(broken).__name__
    except (ValueError, KeyError, TypeError, AttributeError):
        error = "not OpenAI's stream"
    finally:
        results.open -= 1
    if error:
        results.errors[error] += 1
    else:
        results.ok += 1
        results.whole.append(time.monotonic() - started)


async def _stream(client: httpx.AsyncClient, model: str, arrival: Arrival, results: Results) -> str:
    """Read one answer; what went wrong, or nothing."""
    body = {"model": model, "prompt": arrival.prompt, "max_tokens": arrival.max_tokens, "stream": True}
    previous, pieces, usage = time.monotonic(), 0, None
    async with client.stream("POST", "/v1/completions", json=body | {"stream_options": {"include_usage": True}}) as got:
        if got.status_code != 200:
            return f"HTTP {got.status_code}"
        async for line in got.aiter_lines():
            field, _, data = line.partition(":")
            if field != "data":  # a comment to keep the connection, the name of an event, the end of one
                continue
            if (data := data.strip()) == "[DONE]":
                # A piece may hold several tokens, or a token no piece; where the service counts, it knows better.
                results.tokens += 0 if usage is None else usage - pieces
                return ""
            chunk = json.loads(data)
            if "error" in chunk:
                return f"broke off: {chunk['error'].get('code')}"
            usage = (chunk.get("usage") or {}).get("completion_tokens", usage)
            if chunk["choices"]:
                now = time.monotonic()
                (results.between_tokens if pieces else results.first_token).append(now - previous)
                previous, pieces = now, pieces + 1
                results.tokens += 1
    return "ended without [DONE]"
