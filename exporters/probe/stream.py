"""Reads a streamed completion as it arrives: server-sent events that carry OpenAI completion chunks.

Knows bytes and their times of arrival, nothing of connections.
"""

import json

MAX_BYTES = 1 << 20
"""A few tokens never need more; a server that floods the probe is cut off here."""
MAX_FINGERPRINT = 200
"""Characters of a version that are kept; a longer one is told apart by its beginning."""
_OTHER_FIELDS = (b"event:", b"id:", b"retry:", b":")


class BadStreamError(ValueError):
    """The bytes are not a stream of completion chunks."""


class Transcript:
    """What has been read of one answer."""

    def __init__(self) -> None:
        self.text = ""
        self.first_token_at: float | None = None
        """The caller's clock when the first text arrived; None before."""
        self.done = False
        """Whether `[DONE]` was read; what follows it is ignored."""
        self.fingerprint = ""
        """The answer's `system_fingerprint`: which build and configuration gave it; empty where it does not say."""
        self._last_token_at = 0.0
        self._pieces = 0
        self._used_up = False
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

    def time_per_output_token(self, max_tokens: int) -> float | None:
        """Mean seconds per token after the first; None where the text came in one piece.

        An answer that used up `max_tokens` has as many tokens; in a shorter one each piece counts as a token,
        which is what engines send unless a character spans several. Usage is not asked for: engines refuse
        options that they do not know.
        """
        tokens = max_tokens if self._used_up else self._pieces
        if self.first_token_at is None or self._last_token_at <= self.first_token_at or tokens < 2:
            return None
        return (self._last_token_at - self.first_token_at) / (tokens - 1)

    def _read(self, line: bytes, now: float) -> None:
        """One line; each event of this protocol is a single data line."""
        if not line or line.startswith(_OTHER_FIELDS):
            return
        field, _, value = line.partition(b":")
        if field != b"data":
            raise BadStreamError("a line that is no server-sent event")
        if value.strip() == b"[DONE]":
            self.done = True
        else:
            self._take(value, now)

    def _take(self, value: bytes, now: float) -> None:
        """One completion chunk; a last one with only usage carries no text."""
        try:
            chunk = json.loads(value)
        except ValueError as error:
            raise BadStreamError("an event that is not JSON") from error
        if not isinstance(chunk, dict) or not isinstance(chunk.get("choices"), list):
            raise BadStreamError("an event without choices: an error, or another protocol")
        fingerprint = chunk.get("system_fingerprint")
        if isinstance(fingerprint, str):
            self.fingerprint = fingerprint[:MAX_FINGERPRINT]
        for choice in chunk["choices"]:
            if isinstance(choice, dict):
                self._used_up |= choice.get("finish_reason") == "length"
                self._add(choice.get("text"), now)

    def _add(self, text: object, now: float) -> None:
        """A piece of the answer."""
        if not isinstance(text, str) or not text:
            return
        if self.first_token_at is None:
            self.first_token_at = now
        self._last_token_at = now
        self._pieces += 1
        self.text += text
