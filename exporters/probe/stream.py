"""Reads a streamed completion as it arrives: server-sent events that carry OpenAI completion chunks.

Knows bytes and their times of arrival, nothing of connections.
"""

import json

MAX_BYTES = 1 << 20
"""A few tokens never need more; a server that floods the probe is cut off here."""
_OTHER_FIELDS = (b"event:", b"id:", b"retry:", b":")


class BadStreamError(ValueError):
    """The bytes are not a stream of completion chunks."""


class Transcript:
    """What has been read of one answer."""

    def __init__(self) -> None:
        self.first_token_at: float | None = None
        """The caller's clock when the first text arrived; None before."""
        self.done = False
        """Whether `[DONE]` was read; what follows it is ignored."""
        self._bytes = 0
        self._pending = b""

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that arrived now.

        Raises:
            BadStreamError: If they are not the protocol, report an error, or are too many.
        """
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise BadStreamError(f"more than {MAX_BYTES} bytes")
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if not self.done:
                self._read(line.rstrip(b"\r"), now)

    def _read(self, line: bytes, now: float) -> None:
        """One line; each event of this protocol is a single data line."""
        if not line or line.startswith(_OTHER_FIELDS):
            return
        field, _, value = line.partition(b":")
        if field != b"data":
            raise BadStreamError("a line that is no server-sent event")
        if value.strip() == b"[DONE]":
            self.done = True
        elif _text(value) and self.first_token_at is None:
            self.first_token_at = now


def _text(value: bytes) -> str:
    """The text of a completion chunk; empty where it carries none, as a last chunk with only usage does."""
    try:
        chunk = json.loads(value)
    except ValueError as error:
        raise BadStreamError("an event that is not JSON") from error
    if not isinstance(chunk, dict) or not isinstance(chunk.get("choices"), list):
        raise BadStreamError("an event without choices: an error, or another protocol")
    texts = [choice.get("text") for choice in chunk["choices"] if isinstance(choice, dict)]
    return "".join(text for text in texts if isinstance(text, str))
