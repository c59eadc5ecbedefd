"""The channels of the native stack: the inbox, unless the environment names real ones; and what is really rendered."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from alertmanager import teams
from alertmanager.generate import CONFIGURATION
from alertmanager.receivers import TEMPLATES, Receivers, check_secrets, from_environment, read_secret
from alertmanager.teams import Team
from compose.settings import Settings


def receivers(settings: Settings) -> Receivers:
    """Where the channels are.

    Raises:
        ValueError: A variable or a secret is not usable; the message names it.
    """
    inbox = Receivers(
        secrets=str(settings.state.secrets),
        smarthost=settings.address("inbox-smtp"),
        heartbeat_url=f"{settings.url('deadman')}/heartbeat",
        templates=(str(TEMPLATES / "*.tmpl"), str(settings.state.config / "alertmanager" / "*.tmpl")),
    )
    return from_environment(settings.channels, inbox) if settings.real_channels else inbox


def who(settings: Settings) -> dict[str, Team]:
    """The teams; where the channels are the inbox, only with what the inbox takes."""
    found = teams.load(settings.teams)
    return found if settings.real_channels else {name: team.inbox_only() for name, team in found.items()}


def prepare(settings: Settings) -> tuple[Receivers, dict[str, Team]]:
    """Write the inbox's secret, or check the real ones.

    Raises:
        ValueError: Names every setting and secret that is missing or not usable.
    """
    channels, told = receivers(settings), who(settings)
    if not settings.real_channels:
        settings.state.write_secret("slack_url", slack_url(settings))
    check_secrets(channels, told)
    return channels, told


def slack_url(settings: Settings) -> str:
    """Webhook of the inbox."""
    return f"{settings.url('inbox')}/slack"


def deadman_flags(settings: Settings) -> tuple[str, ...]:
    """Channels of the dead man's switch: those of the first team.

    Raises:
        ValueError: As `receivers` and `who`.
    """
    return watcher_flags(receivers(settings), who(settings), real=settings.real_channels)


def watcher_flags(channels: Receivers, teams: Mapping[str, Team], *, real: bool) -> tuple[str, ...]:
    """The dead man's switch's flags for these channels; where they are the inbox, under a sender of its own."""
    team = next(iter(teams.values()))
    flags = [
        *("--slack-url-file", f"{channels.secrets}/{team.slack_url_file}"),
        *("--smtp-smarthost", channels.smarthost),
        *("--smtp-from", channels.smtp_from if real else "deadman@example.org"),
        *("--smtp-to", team.email),
        *("--smtp-require-tls", str(channels.smtp_require_tls).lower()),
    ]
    if channels.smtp_user:
        flags += ["--smtp-user", channels.smtp_user, "--smtp-password-file", f"{channels.secrets}/smtp_password"]
    return tuple(flags)


def only_inbox(settings: Settings) -> bool:
    """Whether everything that Alertmanager's rendered configuration sends ends in this stack.

    Read from what was rendered, not from the settings: a shell without the variables must not think that it is safe.
    """
    path = settings.state.config / "alertmanager" / CONFIGURATION
    if not path.exists():
        return not settings.real_channels
    ours = {slack_url(settings), f"{settings.url('deadman')}/heartbeat"}
    return all_end_in(yaml.safe_load(path.read_text()), settings.address("inbox-smtp"), ours, read_secret)


def all_end_in(document: Mapping[str, Any], smarthost: str, ours: Collection[str], read: Callable[[Path], str]) -> bool:
    """Whether everything that a configuration of Alertmanager sends goes to one mail server and to URLs of ours.

    Args:
        document: The configuration.
        smarthost: The mail server, as host:port.
        ours: The URLs.
        read: Gives what a secret file holds; a ValueError of its counts as elsewhere.
    """
    mail = {document["global"].get("smtp_smarthost")}
    return mail <= {smarthost} and {url for one in document["receivers"] for url in _ends(one, read)} <= set(ours)


def _ends(receiver: Mapping[str, Any], read: Callable[[Path], str]) -> list[str]:
    """Where the integrations of a receiver send to, but for mail."""
    ends = ["pagerduty" for _ in receiver.get("pagerduty_configs", ())]
    ends += [webhook["url"] for webhook in receiver.get("webhook_configs", ())]
    for slack in receiver.get("slack_configs", ()):
        try:
            ends.append(read(Path(slack["api_url_file"])))
        except ValueError:
            ends.append("unknown")
    return ends
