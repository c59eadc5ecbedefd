"""Receivers: which channels each team is reached through, and where those channels are.

A page goes to all channels of a team in one receiver, so that one lost channel loses no page: Alertmanager runs the
integrations of a receiver independently. Secrets are named by file, never written into the configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from alertmanager import integrations
from alertmanager.teams import Team
from alerts.links import Links

TEMPLATES: Final = Path(__file__).with_name("templates")
"""The message templates that the generated configuration needs, beside the generated links.tmpl."""

UNROUTED: Final = "unrouted"
HEARTBEAT: Final = "heartbeat"
NOBODY: Final = "null"

SMTP_PASSWORD: Final = "smtp_password"  # noqa: S105 - the name of a file, not a password
"""Secret file of the mail server's password, where a user is set."""
VARIABLES: Final = (
    "SECRETS_DIR",
    "SMTP_SMARTHOST",
    "SMTP_FROM",
    "SMTP_REQUIRE_TLS",
    "SMTP_USER",
    "HEARTBEAT_URL_FILE",
    "PAGERDUTY_URL",
)
"""Environment variables that `from_environment` reads."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where the channels are; the defaults are those of the compose stack and of the committed file.

    Raises:
        ValueError: On an address that Alertmanager would refuse; the message names the field.
    """

    secrets: str = "/etc/alertmanager/secrets"
    """Folder of the secret files that teams name. Alertmanager reads them at each send, so they can be rotated."""
    smarthost: str = "inbox:1025"
    """The mail server as host:port."""
    smtp_from: str = "inferwatch@example.org"
    smtp_require_tls: bool = False
    """True for any mail server but the inbox, which speaks no TLS."""
    smtp_user: str = ""
    """Empty: no authentication. Otherwise the password is in the secret file `smtp_password`."""
    heartbeat_url: str = "http://deadman:9838/heartbeat"
    """The dead man's switch."""
    external_heartbeat_url: str = ""
    """A second watcher, outside; empty: none. Often a secret, and written into the configuration all the same, since
    Alertmanager before 0.26 reads it from no file: the configuration must then be its owner's only."""
    pagerduty_url: str = ""
    """PagerDuty's events endpoint; empty: the one that Alertmanager knows. Set it for the EU region."""
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
        if "@" not in self.smtp_from:
            raise ValueError(f"smtp_from: expected a mail address, got {self.smtp_from!r}")
        for name in ("heartbeat_url", "external_heartbeat_url", "pagerduty_url"):
            url = getattr(self, name)
            if not url.startswith(("http://", "https://")) and (url or name == "heartbeat_url"):
                raise ValueError(f"{name}: expected an http(s) URL")  # without the URL, which may be a secret
        if not self.secrets or not self.templates:
            raise ValueError("secrets and templates: neither may be empty")


def from_environment(environment: Mapping[str, str], base: Receivers) -> Receivers:
    """The settings with those of VARIABLES in place of base's, where set and not empty.

    A mail server that is named here needs TLS unless SMTP_REQUIRE_TLS is false.

    Raises:
        ValueError: A variable is not usable, or the file of HEARTBEAT_URL_FILE cannot be read.
    """
    said = {name: environment[name] for name in VARIABLES if environment.get(name)}
    tls = said.get("SMTP_REQUIRE_TLS", "true" if "SMTP_SMARTHOST" in said else str(base.smtp_require_tls).lower())
    if tls not in ("true", "false"):
        raise ValueError(f"SMTP_REQUIRE_TLS: expected true or false, got {tls!r}")
    heartbeat = read_secret(Path(said["HEARTBEAT_URL_FILE"])) if "HEARTBEAT_URL_FILE" in said else ""
    return replace(
        base,
        secrets=said.get("SECRETS_DIR", base.secrets).rstrip("/"),
        smarthost=said.get("SMTP_SMARTHOST", base.smarthost),
        smtp_from=said.get("SMTP_FROM", base.smtp_from),
        smtp_require_tls=tls == "true",
        smtp_user=said.get("SMTP_USER", base.smtp_user),
        external_heartbeat_url=heartbeat or base.external_heartbeat_url,
        pagerduty_url=said.get("PAGERDUTY_URL", base.pagerduty_url),
    )


def read_secret(path: Path) -> str:
    """What a secret file holds, without the line's end.

    Raises:
        ValueError: It is missing, unreadable or empty, or holds more than one line; the message names it.
    """
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise ValueError(f"secret {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"secret {path}: no text") from error
    if not text or len(text.splitlines()) > 1:
        raise ValueError(f"secret {path}: {'holds more than one line' if text else 'is empty'}")
    return text


def check_secrets(receivers: Receivers, teams: Mapping[str, Team]) -> None:
    """Read every secret that is named, so that a missing one is found now and not at the first page.

    Raises:
        ValueError: Lists every secret that is missing, unreadable, empty or no URL where one must be.
    """
    named = [(team, setting, name) for team in teams for setting, name in teams[team].secret_files.items()]
    if receivers.smtp_user:
        named.append(("mail server", "SMTP_USER", SMTP_PASSWORD))
    problems = [problem for where in named if (problem := _problem(receivers, *where))]
    if problems:
        raise ValueError("\n".join(problems))


def _problem(receivers: Receivers, owner: str, setting: str, name: str) -> str:
    path = Path(receivers.secrets, name)
    try:
        text = read_secret(path)
    except ValueError as error:
        return f"{owner}: {setting}: {error}"
    if setting == "slack_url_file" and not text.startswith(("http://", "https://")):
        return f"{owner}: {setting}: secret {path}: holds no http(s) URL"
    return ""


def page(team: str) -> str:
    """Name of a team's receiver of pages."""
    return f"page-{team}"


def ticket(team: str) -> str:
    """Name of a team's receiver of tickets."""
    return f"ticket-{team}"


def global_settings(receivers: Receivers) -> dict[str, Any]:
    """The `global` section: the mail server, for every email integration, and PagerDuty's endpoint."""
    settings = smtp_settings(receivers, "smtp_")
    return settings | ({"pagerduty_url": receivers.pagerduty_url} if receivers.pagerduty_url else {})


def smtp_settings(receivers: Receivers, prefix: str = "") -> dict[str, Any]:
    """The mail server, as an email integration (no prefix) or the global section (`smtp_`) names it."""
    settings: dict[str, Any] = {
        f"{prefix}smarthost": receivers.smarthost,
        f"{prefix}from": receivers.smtp_from,
        f"{prefix}require_tls": receivers.smtp_require_tls,
    }
    if receivers.smtp_user:
        settings[f"{prefix}auth_username"] = receivers.smtp_user
        settings[f"{prefix}auth_password_file"] = f"{receivers.secrets}/{SMTP_PASSWORD}"
    return settings


def receiver_list(receivers: Receivers, teams: Mapping[str, Team], links: Links) -> list[dict[str, Any]]:
    """Every receiver that a route names; what matches no route is shown to the first team."""
    named: list[dict[str, Any]] = []
    for name, team in teams.items():
        slack = integrations.slack(team, receivers.secrets, links)
        named.append({"name": page(name), "slack_configs": [slack], **_beside_slack(receivers, team, links)})
        named.append({"name": ticket(name), "slack_configs": [slack]})
    default = next(iter(teams.values()))
    return [
        *named,
        {"name": UNROUTED, "slack_configs": [integrations.unrouted(default, receivers.secrets, links)]},
        {"name": HEARTBEAT, "webhook_configs": _heartbeats(receivers)},
        {"name": NOBODY},
    ]


def _beside_slack(receivers: Receivers, team: Team, links: Links) -> dict[str, Any]:
    """The other integrations of a page."""
    more: dict[str, Any] = {"email_configs": [integrations.email(team)]}
    if team.pagerduty_key_file:
        more["pagerduty_configs"] = [integrations.pagerduty(team, receivers.secrets, links)]
    if team.webhook_url:
        more["webhook_configs"] = [integrations.webhook(team, receivers.secrets)]
    return more


def _heartbeats(receivers: Receivers) -> list[dict[str, Any]]:
    urls = (receivers.heartbeat_url, receivers.external_heartbeat_url)
    return [{"url": url, "send_resolved": False} for url in urls if url]
