"""Integrations: what Alertmanager is told to send through each kind of channel.

Knows no alert; the words are in templates/.
"""

from typing import Any, Final

from alertmanager.teams import Team
from alerts.links import Links

WEBHOOK_ALERTS: Final = 100
"""Alerts in one webhook message; Alertmanager says how many it left out. Keeps the body bounded."""


def slack(team: Team, secrets: str, links: Links) -> dict[str, Any]:
    """The Slack message, as one attachment."""
    channel = {"channel": team.slack_channel} if team.slack_channel else {}
    return {
        "api_url_file": f"{secrets}/{team.slack_url_file}",
        **channel,
        "send_resolved": True,
        "color": _call("slack.color"),
        "title": _call("slack.title"),
        "title_link": _call("link.runbook"),
        "text": _call("slack.text"),
        "fallback": _call("slack.fallback"),
        "footer": _call("slack.footer"),
        "actions": _buttons(links),
    }


def unrouted(team: Team, secrets: str, links: Links) -> dict[str, Any]:
    """The Slack message for an alert that no route takes: it says so."""
    return slack(team, secrets, links) | {"pretext": _call("slack.unrouted")}


def email(team: Team) -> dict[str, Any]:
    """The mail, with a plain and an html part."""
    headers = {
        "Subject": _call("email.subject"),
        "Auto-Submitted": "auto-generated",
        "References": _call("email.thread"),
        "X-Alert-Name": _call("email.name"),
        "X-Alert-Status": "{{ .Status }}",
        "X-Alert-Severity": _call("email.severity"),
        "X-Alert-Group": _call("email.group"),
        "X-Alert-Fingerprint": _call("email.fingerprint"),
    }
    return {
        "to": team.email,
        "send_resolved": True,
        "headers": headers,
        "html": _call("email.html"),
        "text": _call("email.text"),
    }


_NO_YAML = "\t"
"""Begins no YAML. Newer Alertmanagers (0.33 does) take a detail that is YAML for what it says: a text with a colon came
as a table, and a label's own braces would be run as a template."""


def pagerduty(team: Team, secrets: str, links: Links) -> dict[str, Any]:
    """The PagerDuty event; Alertmanager resolves it by the same key."""
    details = ("impact", "what", "changed", "action", "where", "firing", "resolved")
    return {
        "routing_key_file": f"{secrets}/{team.pagerduty_key_file}",
        "send_resolved": True,
        "description": _call("pagerduty.description"),
        "severity": "critical",
        "class": _call("email.name"),
        "group": _call("email.group"),
        "client": "Inferwatch",
        "client_url": "{{ .ExternalURL }}",
        "details": {name: _NO_YAML + _call(f"pagerduty.{name}") for name in details},
        "links": [{"href": button["url"], "text": button["text"]} for button in _buttons(links)],
    }


def webhook(team: Team, secrets: str) -> dict[str, Any]:
    """Alertmanager's own JSON, to a URL of the team's."""
    settings: dict[str, Any] = {"url": team.webhook_url, "send_resolved": True, "max_alerts": WEBHOOK_ALERTS}
    if team.webhook_token_file:
        authorization = {"credentials_file": f"{secrets}/{team.webhook_token_file}"}
        settings["http_config"] = {"authorization": authorization}
    return settings


def _buttons(links: Links) -> list[dict[str, str]]:
    """Link buttons. Alertmanager cannot leave one out per message, so each always has somewhere to go."""
    buttons = (
        ("Runbook", "link.runbook", bool(links.runbook_url)),
        ("Dashboard", "link.dashboard", bool(links.grafana_url)),
        ("Query", "link.query", True),
        ("Traces", "link.traces", bool(links.grafana_url)),
        ("Silence 1 h", "link.silence", bool(links.alertmanager_ui_url)),
    )
    return [{"type": "button", "text": text, "url": _call(link)} for text, link, leads in buttons if leads]


def _call(template: str) -> str:
    return f'{{{{ template "{template}" . }}}}'
