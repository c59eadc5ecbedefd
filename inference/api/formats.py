"""How an answer is written: as a completion or as a chat completion, whole or in chunks."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from inference.engine.generation import FinishReason
from inference.telemetry.ended import Operation


@dataclass(frozen=True, slots=True)
class Usage:
    """What the request cost, in tokens."""

    prompt_tokens: int
    completion_tokens: int

    def as_json(self) -> dict[str, int]:
        """OpenAI's usage object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class Format:
    """Writes one answer; every chunk of it has the same id."""

    operation: Operation
    model: str
    fingerprint: str
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def answer_id(self) -> str:
        """As the client sees it."""
        return ("chatcmpl-" if self.operation == "chat" else "cmpl-") + self.id

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> dict[str, Any]:
        """The answer in one object."""
        said = {"message": {"role": "assistant", "content": text}} if self.operation == "chat" else {"text": text}
        kind = "chat.completion" if self.operation == "chat" else "text_completion"
        return self._object(kind, said, reason) | {"usage": usage.as_json()}

    def chunk(self, text: str, *, first: bool = False, reason: FinishReason | None = None) -> dict[str, Any]:
        """A piece of the answer; the last one says why it ended."""
        if self.operation == "text_completion":
            return self._object("text_completion", {"text": text}, reason)
        delta = ({"role": "assistant"} if first else {}) | ({"content": text} if text or first else {})
        return self._object("chat.completion.chunk", {"delta": delta}, reason)

    def usage_chunk(self, usage: Usage) -> dict[str, Any]:
        """The chunk after the last piece, for clients that asked for it."""
        kind = "chat.completion.chunk" if self.operation == "chat" else "text_completion"
        return self._object(kind, {}, None) | {"choices": [], "usage": usage.as_json()}

    def _object(self, kind: str, said: dict[str, Any], reason: FinishReason | None) -> dict[str, Any]:
        return {
            "id": self.answer_id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": [{"index": 0, **said, "logprobs": None, "finish_reason": reason}],
        }
