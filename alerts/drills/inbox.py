"""What reached people: the inbox's messages, and which alert each one is about."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from alerts.drills.calls import call


@dataclass(frozen=True, slots=True)
class Message:
    """One Slack message or email, as the inbox keeps it."""

    id: str
    channel: str
    received_at: float
    """Seconds since the epoch, by the inbox's clock."""
    status: str | None
    """`firing`, `resolved`, or None for a message that is neither."""
    title: str
    words: str
    """Everything in it, title and links included."""

    def alerts(self, known: Iterable[str]) -> frozenset[str]:
        """The alerts that it is about: those whose runbook it links to."""
        return frozenset(name for name in known if re.search(rf"/{name}(?![A-Za-z])", self.words))


def messages(url: str) -> list[Message]:
    """All messages of the inbox at a base URL, oldest first.

    Raises:
        httpx.HTTPError: If the inbox does not answer.
    """
    return sorted(
        (_message(entry) for entry in call("GET", f"{url}/api/messages")), key=lambda message: message.received_at
    )


def _message(entry: dict[str, object]) -> Message:
    words = "\n".join(str(entry.get(key) or "") for key in ("title", "text", "html", "raw"))
    status = entry.get("status")
    return Message(
        id=str(entry["id"]),
        channel=str(entry["channel"]),
        received_at=float(str(entry["received_at"])),
        status=str(status) if status else None,
        title=str(entry.get("title") or ""),
        words=words,
    )
