"""What the switch says, in the shape of every other page, so that a tired reader finds things where they always are."""

import html
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from alertmanager.deadman.watch import Change

_IMPACT = "Whatever breaks now, no alert of this stack reaches anyone."
_ACTION = "See whether Prometheus and Alertmanager run (inferwatch status), then read the runbook."


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, before a channel gives it its shape."""

    blind: bool
    status: str
    """PAGE, or RESOLVED after a duration."""
    summary: str
    lines: tuple[tuple[str, str], ...]
    """Headings and texts, the most urgent first."""
    runbook_url: str
    """Empty where there is none."""


def notice(change: Change, runbook_base: str) -> Notice:
    """The words for a change."""
    silent = duration(change.silent_for)
    last = _utc(change.last_beat) if change.last_beat is not None else "none since this watcher started"
    runbook_url = f"{runbook_base}/Watchdog" if runbook_base else ""
    if change.blind:
        what = (("Impact", _IMPACT), ("What", f"last heartbeat: {last}"), ("Do first", _ACTION))
        return Notice(True, "PAGE", f"Alerting is blind: no heartbeat for {silent}", what, runbook_url)
    was = (("Was", f"no heartbeat for {silent}; last one before: {last}"),)
    return Notice(False, f"RESOLVED after {silent}", "Alerting sees again: heartbeats arrive", was, runbook_url)


def duration(seconds: float) -> str:
    """As the other messages write it: 48s, 6m, 1h5m."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    hours, minutes = divmod(whole // 60, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")


def slack(notice: Notice) -> dict[str, Any]:
    """The notice as a Slack webhook's payload."""
    title = f"{notice.status}  {notice.summary}"
    attachment: dict[str, Any] = {
        "color": "#D00000" if notice.blind else "good",
        "title": title,
        "text": "\n".join(f"*{heading}:* {text}" for heading, text in notice.lines),
        "fallback": title,
        "mrkdwn_in": ["text"],
        "footer": "Watchdog · page · dead man's switch",
    }
    if notice.runbook_url:
        attachment["title_link"] = notice.runbook_url
        attachment["actions"] = [{"type": "button", "text": "Runbook", "url": notice.runbook_url}]
    return {"username": "Dead man's switch", "attachments": [attachment]}


def email(notice: Notice, sender: str, to: str) -> EmailMessage:
    """The notice as a mail."""
    mail = EmailMessage()
    mail["Subject"] = f"[{'PAGE' if notice.blind else 'RESOLVED'}] {notice.summary}"
    mail["From"], mail["To"] = sender, to
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain="inferwatch")
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Alert-Name"], mail["X-Alert-Severity"] = "Watchdog", "page"
    mail["X-Alert-Status"] = "firing" if notice.blind else "resolved"
    mail.set_content(_text(notice))
    mail.add_alternative(_html(notice), subtype="html")
    return mail


def _text(notice: Notice) -> str:
    lines = [f"{notice.status}: {notice.summary}", ""]
    lines += [f"{heading + ':':<10}{text}" for heading, text in notice.lines]
    lines += ["", f"Runbook:  {notice.runbook_url}"] if notice.runbook_url else []
    return "\n".join([*lines, "", "-- ", "Sent by the dead man's switch of Inferwatch.", ""])


def _html(notice: Notice) -> str:
    color, on_dark = ("#d00000", "#ff6b6b") if notice.blind else ("#1a7f4b", "#4fc98a")
    # For who reads it at night, in a client that takes style sheets; every other style is inline.
    dark = (
        "body { background: #131417 !important; color: #dcdee1 !important } .card { background: #1d1f23 !important } "
        f".status {{ color: {on_dark} !important }} span {{ color: #9a9ca1 !important }} a {{ color: #8ab8f5 }}"
    )
    rows = "".join(
        f'<p style="margin:6px 0"><span style="color:#5c6370">{heading}:</span> {html.escape(text)}</p>'
        for heading, text in notice.lines
    )
    link = f'<p><a href="{html.escape(notice.runbook_url)}">Runbook</a></p>' if notice.runbook_url else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<style>@media (prefers-color-scheme: dark) {{ {dark} }}</style></head>"
        '<body style="margin:0;padding:16px;background:#f2f3f5;color:#1d1f23;'
        "font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif\">"
        f'<div class="card" style="max-width:600px;margin:0 auto;padding:18px 24px;background:#ffffff;'
        f'border-top:6px solid {color};border-radius:8px">'
        f'<div class="status" style="font-weight:700;color:{color}">{notice.status}</div>'
        f'<div style="font-size:21px;font-weight:700">{html.escape(notice.summary)}</div>{rows}{link}</div>'
        "</body></html>"
    )


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
