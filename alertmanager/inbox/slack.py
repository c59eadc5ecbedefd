"""Slack's incoming webhook, as far as it can refuse a payload: what Slack would not show, this does not take."""

import json
from typing import Any

from alertmanager.inbox.messages import Content, Status, status_of

MAX_TEXT = 40_000
"""Characters of the top-level text; Slack cuts there."""
MAX_ATTACHMENTS = 100

_SHOWN = ("text", "title", "pretext", "fallback")


class SlackError(ValueError):
    """A payload that Slack would refuse; the text is Slack's own error code, sent with status 400."""


def read(body: bytes) -> Content:
    """Read a webhook's body.

    Raises:
        SlackError: invalid_payload, no_text, invalid_attachments, too_many_attachments or msg_too_long.
    """
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise SlackError("invalid_payload") from error
    if not isinstance(payload, dict):
        raise SlackError("invalid_payload")
    text, attachments = _text(payload), _attachments(payload)
    if not text and not attachments:
        raise SlackError("no_text")
    title = next((a["title"] for a in attachments if _filled(a, "title")), text.split("\n", 1)[0])
    texts = [text, *(a[key] for a in attachments for key in ("pretext", "text") if _filled(a, key))]
    return Content(
        "slack",
        _status(title, attachments),
        title,
        "\n".join(filter(None, texts)),
        None,
        body.decode("utf-8", "replace"),
    )


def _text(payload: dict[str, Any]) -> str:
    text = payload.get("text") or ""
    if not isinstance(text, str):
        raise SlackError("invalid_payload")
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    return text.strip()


def _attachments(payload: dict[str, Any]) -> list[dict[str, Any]]:
    attachments = payload.get("attachments") or []
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        raise SlackError("invalid_attachments")
    if len(attachments) > MAX_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    if not all(_shows(one) and _well_formed(one) for one in attachments):
        raise SlackError("invalid_attachments")
    return attachments


def _shows(attachment: dict[str, Any]) -> bool:
    return any(_filled(attachment, key) for key in _SHOWN) or bool(attachment.get("fields"))


def _well_formed(attachment: dict[str, Any]) -> bool:
    """Texts are texts; fields and buttons are lists of objects."""
    texts = all(isinstance(attachment.get(key, ""), str) for key in (*_SHOWN, "title_link", "color", "footer"))
    lists = (attachment.get(key) or [] for key in ("fields", "actions"))
    return texts and all(isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in lists)


def _filled(attachment: dict[str, Any], key: str) -> bool:
    value = attachment.get(key)
    return isinstance(value, str) and bool(value.strip())


def _status(title: str, attachments: list[dict[str, Any]]) -> Status | None:
    """By the title; foreign messages, whose titles say nothing, by Alertmanager's own colours."""
    color = attachments[0].get("color") if attachments else None
    by_color: Status | None = "resolved" if color == "good" else "firing" if color == "danger" else None
    return status_of(title) or by_color
