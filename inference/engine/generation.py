"""What the engine is asked for and what it answers: the vocabulary between the engine and its callers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from inference.engine.sampling import Sampler
from inference.engine.stopping import StopStrings
from inference.engine.tokenizers import Decoder

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One admitted request."""

    tokens: tuple[int, ...]
    """Token ids; at least one, all inside the model's vocabulary."""
    max_tokens: int
    """At least 1; prompt and answer together fit the context."""
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """Above 0, at most 1."""
    seed: int | None = None
    """None: a different answer each time, unless greedy."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these."""
    continues: bool = False
    """Whether the answer goes on in the prompt's own text, as a completion does and an answer in a chat does not."""


@dataclass(frozen=True, slots=True)
class Text:
    """More of the answer: what one token added; may be empty while a character is incomplete."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of an answer that ended well, with the text that had been held back."""

    text: str
    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of an answer that broke off."""

    error_type: str
    """One of labels.ERROR_TYPES."""
    message: str
    """For the client: without internals."""


Event = Text | Finished | Failed


class GapReason(StrEnum):
    """What took most of the time between two tokens of an answer."""

    DECODE = "decode"
    """The pass of the model itself."""
    PREFILL = "prefill"
    """Prompts of others were read."""
    BATCH_CHANGE = "batch_change"
    """Others came or left, and sequences moved in the cache."""
    PREEMPTION = "preemption"
    """It lost its place in the cache and had to be read again."""
    GC = "gc"
    """Python's garbage collection."""
    FAULT = "fault"
    """Somebody broke the engine on purpose."""
    OUTSIDE = "outside"
    """Nothing that the engine does: it did not get the processor, or not the interpreter."""


@dataclass(slots=True)
class Timeline:
    """When things happened to a request, in seconds of time.monotonic(); None where they have not."""

    arrived: float
    """When it was there as a whole: how long a client took to send it says nothing of the service."""
    admitted: float | None = None
    """When it left the queue and its prefill began."""
    tokens: list[float] = field(default_factory=list)
    """One entry per generated token."""
    batch_sizes: list[int] = field(default_factory=list)
    """For each token, how many sequences were in the model's pass that made it."""
    longest_gap: float = 0.0
    """The longest time between two of its tokens, in seconds; 0 for fewer than two."""
    longest_gap_reason: str = ""
    """Why: a GapReason; empty for fewer than two tokens."""
    preemptions: int = 0
    gpu_memory_used_bytes: int | None = None
    """Of the device at admission; None without a GPU."""

    def token_came(self, now: float, batch_size: int, reason_since: Callable[[float], GapReason]) -> None:
        """Note a token of a pass over `batch_size` sequences.

        Args:
            now: When it came.
            batch_size: Sequences in the pass.
            reason_since: What took most of the time since a moment; asked only where the gap is the longest so far.
        """
        if self.tokens and (gap := now - self.tokens[-1]) > self.longest_gap:
            self.longest_gap, self.longest_gap_reason = gap, reason_since(self.tokens[-1]).value
        self.tokens.append(now)
        self.batch_sizes.append(batch_size)


class Generation:
    """One request on its way through the engine.

    The engine's thread alone touches the fields from `tokens` on; `next` and `deliver` belong to the event loop.
    """

    def __init__(self, prompt: Prompt, timeline: Timeline, decoder: Decoder) -> None:
        self.prompt = prompt
        self.timeline = timeline
        self.cancelled = False
        self.ended = False
        """Whether its last event has been delivered; what comes later is dropped."""
        self.tokens: list[int] = []
        self.cached = 0
        """Tokens of prompt and answer that are in the KV cache."""
        self.reading = True
        """Whether its prompt (or, after a preemption, all of it) is still to be read."""
        self.misled = False
        """Whether it is answered wrongly on purpose."""
        self.sampler = Sampler(prompt.temperature, prompt.top_p, prompt.seed)
        self._prompt_read = 0
        self._decoder = decoder
        self._stops = StopStrings(prompt.stop)
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    @property
    def length(self) -> int:
        """Tokens of prompt and answer so far."""
        return len(self.prompt.tokens) + len(self.tokens)

    def unread(self, most: int) -> list[int]:
        """The next tokens that must go into the cache, so many at most."""
        return [*self.prompt.tokens, *self.tokens][self.cached : self.cached + most]

    def read(self, count: int) -> int:
        """Note that the next `count` tokens are in the cache; how many of the prompt are there for the first time."""
        self.cached += count
        before, self._prompt_read = self._prompt_read, max(self._prompt_read, min(self.cached, len(self.prompt.tokens)))
        return self._prompt_read - before

    def forget_cache(self) -> None:
        """Its place in the cache is gone: all of it must be read again."""
        self.cached, self.reading = 0, True
        self.timeline.preemptions += 1

    def accept(self, token: int, ends: frozenset[int]) -> Text | Finished:
        """Take the next token of the answer; what it means for the reader."""
        self.tokens.append(token)
        if token in ends:
            return Finished(self._stops.flush(), "stop")
        text = self._stops.push(self._decoder.push(token))
        if self._stops.met:
            return Finished(text, "stop")
        if len(self.tokens) >= self.prompt.max_tokens:
            return Finished(text + self._stops.flush(), "length")
        return Text(text)

    def deliver(self, event: Event) -> None:
        """Hand an event to the reader."""
        if not self.ended:
            self.ended = not isinstance(event, Text)
            self._events.put_nowait(event)

    async def next(self) -> Event:
        """The next event; a Finished or Failed is the last one."""
        return await self._events.get()
