"""One attempt: a short greedy completion, streamed over a new connection, timed from outside. Judges no answer."""

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from exporters.probe.asking import AttemptFailedError, Reason, headers
from exporters.probe.config import Config, Target
from exporters.probe.listing import first_model
from exporters.probe.stream import BadStreamError, Transcript

PROMPT = "The capital of France is"
"""Fixed, so that attempts and answers can be compared; short, so that they are cheap."""
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""What httpx's trace calls the ends of connecting; the second comes only with TLS."""


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
    connect: float | None = None
    """Seconds until the connection stood, name look-up and TLS included; None where it never did."""
    time_per_output_token: float | None = None
    """Mean seconds per token after the first; None where the attempt failed or its text came in one piece."""
    text: str = field(default="", repr=False)
    """The answer, as far as it came."""
    fingerprint: str = ""
    """What the answer says of the build and configuration that gave it; empty where it says nothing."""


class Stopwatch:
    """Times of one attempt, on the clock of `time.perf_counter`."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.connected: float | None = None

    async def trace(self, event: str, _: object) -> None:
        """Take an event of httpx's trace extension."""
        if event in _CONNECTED:
            self.connected = time.perf_counter()

    def until(self, moment: float | None) -> float | None:
        """Seconds from the start; None for what did not happen."""
        return None if moment is None else moment - self.started


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
    transcript, watch = Transcript(), Stopwatch()
    reason: Reason | None = None
    try:
        async with asyncio.timeout(config.timeout):
            if not model:
                model = await first_model(client, target)
                watch = Stopwatch()
            await _complete(client, target, _question(model, config.max_tokens), transcript, watch)
    except TimeoutError:
        reason = "timeout"
    except httpx.ConnectError:
        reason = "connect"
    except AttemptFailedError as failure:
        reason = failure.reason
    except (httpx.TransportError, BadStreamError):
        reason = "bad_stream"
    return Result(
        model=model,
        reason=reason,
        duration=time.perf_counter() - watch.started,
        time_to_first_token=watch.until(transcript.first_token_at),
        ended_at=time.time(),
        connect=watch.until(watch.connected),
        time_per_output_token=None if reason else transcript.time_per_output_token(config.max_tokens),
        text=transcript.text,
        fingerprint=transcript.fingerprint,
    )


def _question(model: str, max_tokens: int) -> dict[str, object]:
    """The body of the request: greedy, so that answers can be compared."""
    return {"model": model, "prompt": PROMPT, "max_tokens": max_tokens, "temperature": 0, "stream": True}


async def _complete(
    client: httpx.AsyncClient, target: Target, question: dict[str, object], transcript: Transcript, watch: Stopwatch
) -> None:
    """Stream a completion into the transcript until it says that it is done."""
    async with client.stream(
        "POST",
        f"{target.url}/v1/completions",
        json=question,
        headers=headers(target),
        extensions={"trace": watch.trace},
    ) as response:
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
