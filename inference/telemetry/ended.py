"""What the API hands over to be measured, and how it looks when nothing is measured. Without OpenTelemetry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from inference.engine.generation import Prompt, Timeline

Operation = Literal["chat", "text_completion"]
"""Values of gen_ai.operation.name: the two things that a client can ask for."""
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

Dropped = Callable[[], Mapping[str, int]]
"""Reads what was lost, by llm.DROP_REASONS."""


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """What there is to record of a request for text. Times are in seconds of time.monotonic()."""

    operation: Operation
    model: str | None
    """As the client named it; None where that could not be read."""
    error_type: str
    """One of labels.ERROR_TYPES; empty where it went well."""
    timeline: Timeline
    ended: float
    """When the last token came, or the error."""
    prompt: Prompt | None = None
    """None where it was refused before it became one."""
    rejection: str = ""
    """One of llm.REJECTION_REASONS where it never came into the queue."""
    finish_reason: str = ""
    response_id: str = ""
    streamed: bool = False

    @property
    def duration(self) -> float:
        """Seconds from arrival to the end."""
        return self.ended - self.timeline.arrived

    @property
    def queue_time(self) -> float | None:
        """Seconds from arrival to its place in the batch; None where it got none."""
        return None if self.timeline.admitted is None else self.timeline.admitted - self.timeline.arrived

    @property
    def first_token(self) -> float | None:
        """Seconds from arrival to the first token; None where none came."""
        return self.timeline.tokens[0] - self.timeline.arrived if self.timeline.tokens else None

    @property
    def per_output_token(self) -> float | None:
        """Mean seconds per token after the first; None for fewer than two tokens."""
        tokens = self.timeline.tokens
        return None if len(tokens) < 2 else (tokens[-1] - tokens[0]) / (len(tokens) - 1)

    @property
    def phase(self) -> str:
        """Where it was at its end: one of labels.PHASES."""
        if self.timeline.tokens:
            return "decode"
        return "queue" if self.timeline.admitted is None else "prefill"


class Trace(Protocol):
    """A request's place in a trace."""

    @property
    def trace_id(self) -> str:
        """In hexadecimal digits."""

    @property
    def span_id(self) -> str:
        """In hexadecimal digits, of the request's own span."""


@dataclass(slots=True)
class Exchange:
    """An HTTP request while it is answered; whoever handles it notes down here what will be recorded of it."""

    method: str
    path: str
    client: str = ""
    """The address it came from."""
    caller: str = ""
    """Name of the API key that it showed; empty where none is needed."""
    arrived: float = 0.0
    """In seconds of time.monotonic()."""
    arrived_ns: int = 0
    """The same moment in nanoseconds since the epoch."""
    ended: float = 0.0
    route: str = ""
    """The path's pattern; empty for a path that does not exist."""
    status: int = 0
    """Of the response; 0 where there was none."""
    trace: Trace | None = None
    model: str | None = None
    """As the client named it, once that was read."""
    generation: EndedRequest | None = field(default=None)
    """What became of it, where it asked for text."""

    @property
    def error_type(self) -> str:
        """Why it failed: one of labels.ERROR_TYPES, also where only the stream broke; empty where it did not.

        A 503 of an operator's endpoint is an answer, not a failure.
        """
        if self.generation:
            return self.generation.error_type
        return "internal_error" if self.status == 500 else ""


class Telemetry(Protocol):
    """What the API needs to be measured."""

    def began(self, exchange: Exchange, headers: Mapping[bytes, bytes]) -> Trace | None:
        """A request came; its trace, which continues the one that the headers name. None where it is not traced."""

    def ended(self, exchange: Exchange) -> None:
        """Record a request; call once for each, after its response."""

    def render(self, accept: str) -> tuple[bytes, str] | None:
        """The metrics page and its Content-Type; None where telemetry is off."""

    def close(self, seconds: float) -> None:
        """Send what is left, for at most so long."""


class Silence:
    """Telemetry that is switched off."""

    def began(self, exchange: Exchange, headers: Mapping[bytes, bytes]) -> None:
        """Nothing is traced."""

    def ended(self, exchange: Exchange) -> None:
        """Record nothing."""

    def render(self, accept: str) -> None:
        """There is no page."""

    def close(self, seconds: float) -> None:
        """Nothing is left."""
