"""One attempt: a short greedy completion, streamed over a new connection, timed and checked from outside."""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

import httpx

from exporters.probe.config import Config, Target
from exporters.probe.stream import BadStreamError, Transcript

PROMPT = "The capital of France is"
"""Fixed, so that attempts can be compared; short, so that they are cheap."""
Reason = Literal["connect", "timeout", "http_status", "bad_stream", "no_tokens"]
"""Why an attempt failed; the catalogue's REASONS, which says what each means."""


class AttemptFailedError(Exception):
    """An answer came that no user could use."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt."""

    model: str
    """The model that was asked for; empty where the server was to name one and did not."""
    reason: Reason | None
    """None: the answer arrived whole and in time."""
    duration: float
    """Seconds from connecting to the end."""
    time_to_first_token: float | None
    """Seconds from connecting to the first text; None where none came."""
    ended_at: float
    """Seconds since the epoch."""


def new_client() -> httpx.AsyncClient:
    """A client that opens a connection per request, so that every attempt pays what a new user pays.

    The environment's proxies are ignored: the probe measures the URL that its configuration names. The
    deadline is the attempt's own, over all of its parts.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # noqa: S113


async def attempt(client: httpx.AsyncClient, target: Target, config: Config, known_model: str) -> Result:
    """Ask a target once; never raises for what the target does.

    Args:
        client: As `new_client` makes it.
        target: Whom to ask.
        config: Timeout and length of the completion.
        known_model: What an earlier attempt learned; empty makes this one look the model up where the
            target names none. Looking up spends the same timeout.
    """
    model = target.model or known_model
    transcript = Transcript()
    started = time.perf_counter()
    reason: Reason | None = None
    try:
        async with asyncio.timeout(config.timeout):
            if not model:
                model = await _first_model(client, target)
                started = time.perf_counter()
            await _complete(client, target, model, config.max_tokens, transcript)
    except TimeoutError:
        reason = "timeout"
    except httpx.ConnectError:
        reason = "connect"
    except AttemptFailedError as failure:
        reason = failure.reason
    except (httpx.TransportError, BadStreamError):
        reason = "bad_stream"
    first = None if transcript.first_token_at is None else transcript.first_token_at - started
    return Result(model, reason, time.perf_counter() - started, first, time.time())


async def _complete(
    client: httpx.AsyncClient, target: Target, model: str, max_tokens: int, transcript: Transcript
) -> None:
    """Stream a completion into the transcript until it says that it is done."""
    body = {"model": model, "prompt": PROMPT, "max_tokens": max_tokens, "temperature": 0, "stream": True}
    async with client.stream("POST", f"{target.url}/v1/completions", json=body, headers=_headers(target)) as response:
        if response.status_code != httpx.codes.OK:
            raise AttemptFailedError("http_status")
        async for chunk in response.aiter_raw():
            transcript.feed(chunk, time.perf_counter())
            if transcript.done:
                break
    if not transcript.done:
        raise AttemptFailedError("bad_stream")
    if transcript.first_token_at is None:
        raise AttemptFailedError("no_tokens")


async def _first_model(client: httpx.AsyncClient, target: Target) -> str:
    """The id of the first model that the server lists."""
    response = await client.get(f"{target.url}/v1/models", headers=_headers(target))
    if response.status_code != httpx.codes.OK:
        raise AttemptFailedError("http_status")
    try:
        model = response.json()["data"][0]["id"]
    except (ValueError, LookupError, TypeError) as error:
        raise AttemptFailedError("bad_stream") from error
    if not isinstance(model, str) or not model:
        raise AttemptFailedError("bad_stream")
    return model


def _headers(target: Target) -> dict[str, str]:
    """No compression: the stream is read as raw bytes, and a buffer in the way would hide the first token."""
    headers = {"accept-encoding": "identity", "user-agent": "inferwatch-probe"}
    return headers | ({"authorization": f"Bearer {target.api_key}"} if target.api_key else {})
