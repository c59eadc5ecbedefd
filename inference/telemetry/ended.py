"""What the API hands over to be measured, and how it looks when nothing is measured. Without OpenTelemetry."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Operation = Literal["chat", "text_completion"]
"""Values of gen_ai.operation.name: the two things that a client can ask for."""
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """What there is to record of a request, once. Times are in seconds."""

    operation: Operation
    model: str | None
    """As the client named it; None where that could not be read."""
    error_type: str
    """One of labels.ERROR_TYPES; empty where it went well."""
    duration: float
    """From arrival to the last token, or to the error."""
    first_token: float | None = None
    """From arrival to the first token; None where none came."""
    tokens: int = 0

    @property
    def per_output_token(self) -> float | None:
        """Mean time per token after the first; None for fewer than two tokens."""
        if self.first_token is None or self.tokens < 2:
            return None
        return (self.duration - self.first_token) / (self.tokens - 1)


class Telemetry(Protocol):
    """What the API needs to be measured."""

    def request_ended(self, request: EndedRequest) -> None:
        """Record a request; call once for each."""

    def render(self, accept: str) -> tuple[bytes, str] | None:
        """The metrics page and its Content-Type; None where telemetry is off."""


class Silence:
    """Telemetry that is switched off."""

    def request_ended(self, request: EndedRequest) -> None:
        """Record nothing."""

    def render(self, accept: str) -> None:
        """There is no page."""
