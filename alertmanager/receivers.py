"""Receivers: where messages go, and what each channel is told.

Pages go to Slack and email in one receiver, so that one lost channel loses no page: Alertmanager runs the
integrations of a receiver independently. Secrets are named by file, never written into the configuration.
Knows no alert; the words are in templates/.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alerts.links import Links

TEMPLATES: Final = Path(__file__).with_name("templates")
"""The message templates that the generated configuration needs, beside the generated links.tmpl."""

PAGE: Final = "page"
TICKET: Final = "ticket"
UNROUTED: Final = "unrouted"
HEARTBEAT: Final = "heartbeat"
NOBODY: Final = "null"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Addresses and secret files; the defaults are those of the compose stack and of the committed file.

    Raises:
        ValueError: On an address that Alertmanager would refuse; the message names the field.
    """

    slack_url_file: str = "/etc/alertmanager/secrets/slack_url"
    """A file with the Slack webhook's URL. Alertmanager reads it at each send, so it can be rotated."""
    smarthost: str = "inbox:1025"
    """The mail server as host:port."""
    smtp_from: str = "inferwatch@example.org"
    smtp_to: str = "oncall@example.org"
    """One address, or several with commas between."""
    smtp_require_tls: bool = False
    """True for any mail server but the inbox, which speaks no TLS."""
    smtp_user: str = ""
    """Empty: no authentication."""
    smtp_password_file: str = ""
    heartbeat_url: str = "http://deadman:9838/heartbeat"
    """The dead man's switch."""
    templates: tuple[str, ...] = (
        "/etc/alertmanager/templates/*.tmpl",
        "/etc/alertmanager/generated/*.tmpl",
    )
    """Globs; together they must find templates/*.tmpl and the generated links.tmpl."""

    def __post_init__(self) -> None:
        """Refuse what would only fail at the first page."""
        host, _, port = self.smarthost.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"smarthost: expected host:port, got {self.smarthost!r}")
        for name in ("smtp_from", "smtp_to"):
            if not all("@" in address for address in getattr(self, name).split(",")):
                raise ValueError(f"{name}: expected a mail address, got {getattr(self, name)!r}")
        if bool(self.smtp_user) != bool(self.smtp_password_file):
            raise ValueError("smtp_user and smtp_password_file: set both, or neither")
        if not self.heartbeat_url.startswith(("http://", "https://")):
            raise ValueError(f"heartbeat_url: expected an http(s) URL, got {self.heartbeat_url!r}")
        if not self.slack_url_file or not self.templates:
            raise ValueError("slack_url_file and templates: neither may be empty")


def smtp_settings(receivers: Receivers) -> dict[str, Any]:
    """The `global` section: the mail server, for every email integration."""
    settings: dict[str, Any] = {
        "smtp_smarthost": receivers.smarthost,
        "smtp_from": receivers.smtp_from,
        "smtp_require_tls": receivers.smtp_require_tls,
    }
    if receivers.smtp_user:
        settings["smtp_auth_username"] = receivers.smtp_user
        settings["smtp_auth_password_file"] = receivers.smtp_password_file
    return settings


def receiver_list(receivers: Receivers, links: Links) -> list[dict[str, Any]]:
    """Every receiver that a route names."""
    slack, email = _slack(receivers, links), _email(receivers)
    heartbeat = {"url": receivers.heartbeat_url, "send_resolved": False}
    return [
        {"name": PAGE, "slack_configs": [slack], "email_configs": [email]},
        {"name": TICKET, "slack_configs": [slack]},
        {"name": UNROUTED, "slack_configs": [slack | {"pretext": _call("slack.unrouted")}]},
        {"name": HEARTBEAT, "webhook_configs": [heartbeat]},
        {"name": NOBODY},
    ]


def _slack(receivers: Receivers, links: Links) -> dict[str, Any]:
    return {
        "api_url_file": receivers.slack_url_file,
        "send_resolved": True,
        "color": _call("slack.color"),
        "title": _call("slack.title"),
        "title_link": _call("link.runbook"),
        "text": _call("slack.text"),
        "fallback": _call("slack.fallback"),
        "footer": _call("slack.footer"),
        "actions": _buttons(links),
    }


def _buttons(links: Links) -> list[dict[str, str]]:
    """Link buttons. Alertmanager cannot leave one out per message, so each always has somewhere to go."""
    buttons = (
        ("Runbook", "link.runbook", bool(links.runbook_url)),
        ("Dashboard", "link.dashboard", bool(links.grafana_url)),
        ("Query", "link.query", True),
        ("Silence 1 h", "link.silence", bool(links.alertmanager_ui_url)),
    )
    return [{"type": "button", "text": text, "url": _call(link)} for text, link, leads in buttons if leads]


def _email(receivers: Receivers) -> dict[str, Any]:
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
        "to": receivers.smtp_to,
        "send_resolved": True,
        "headers": headers,
        "html": _call("email.html"),
        "text": _call("email.text"),
    }


def _call(template: str) -> str:
    return f'{{{{ template "{template}" . }}}}'
