"""What arrived, newest last, bounded. Knows neither HTTP nor SMTP."""

import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Channel = Literal["slack", "email"]
Status = Literal["firing", "resolved"]

KEPT = 1000
"""Messages that are kept; the oldest go first."""

_RESOLVED = re.compile(r"\[?RESOLVED\b")
_FIRING = re.compile(r"\[?(PAGE|TICKET|FIRING)\b")


@dataclass(frozen=True, slots=True)
class Content:
    """A message as its channel understood it."""

    channel: Channel
    status: Status | None
    """None where it says neither, as a test message does."""
    title: str
    """The first attachment's title, or a mail's subject."""
    text: str
    html: str | None
    """A mail's html part; None on Slack and on mails without one."""
    raw: str
    """The payload, or the mail's source, as it came."""


@dataclass(frozen=True, slots=True)
class Message(Content):
    """A message that arrived."""

    id: int
    """Counts up from 1 while the inbox runs."""
    received_at: float
    """Seconds since the epoch."""


def status_of(title: str) -> Status | None:
    """Firing or resolved, from the first word of a title or subject."""
    if _RESOLVED.match(title):
        return "resolved"
    return "firing" if _FIRING.match(title) else None


class Mailbox:
    """Every message that arrived, up to a bound."""

    def __init__(self, clock: Callable[[], float] = time.time, kept: int = KEPT) -> None:
        self._clock = clock
        self._messages: deque[Message] = deque(maxlen=kept)
        self._life = secrets.token_hex(4)
        self._changes = 0
        self._last_id = 0

    @property
    def version(self) -> str:
        """Changes whenever the content does, across restarts too."""
        return f"{self._life}-{self._changes}"

    def add(self, content: Content) -> Message:
        """Keep a message, stamped with the time."""
        self._last_id += 1
        self._changes += 1
        message = Message(
            content.channel,
            content.status,
            content.title,
            content.text,
            content.html,
            content.raw,
            id=self._last_id,
            received_at=self._clock(),
        )
        self._messages.append(message)
        return message

    def messages(self, channel: Channel | None = None, limit: int = KEPT) -> list[Message]:
        """The newest messages in the order of arrival, of one channel or of all."""
        chosen = [message for message in self._messages if channel in (None, message.channel)]
        return chosen[-limit:]

    def clear(self) -> None:
        """Forget every message; ids go on counting."""
        self._changes += 1
        self._messages.clear()
