"""Settings of the dead man's switch: flags, environment, checks at start."""

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from alertmanager.address import Address, parse
from alertmanager.deadman.delivery import Mail, SlackWebhook
from alerts.links import Links

T = TypeVar("T")


class Setting(NamedTuple):
    """A flag and its environment variable."""

    flag: str
    variable: str
    default: str
    help: str


SETTINGS = (
    Setting("--listen-address", "DEADMAN_LISTEN_ADDRESS", "127.0.0.1:9838", "where heartbeats arrive, HOST:PORT"),
    Setting("--timeout", "DEADMAN_TIMEOUT", "45", "seconds without a heartbeat until it pages: 3 heartbeat intervals"),
    Setting("--slack-url-file", "DEADMAN_SLACK_URL_FILE", "", "file with the Slack webhook's URL; empty: no Slack"),
    Setting("--smtp-smarthost", "DEADMAN_SMTP_SMARTHOST", "", "mail server, HOST:PORT; empty: no email"),
    Setting("--smtp-from", "DEADMAN_SMTP_FROM", "", "sender of the mails"),
    Setting("--smtp-to", "DEADMAN_SMTP_TO", "", "who gets them; several with commas between"),
    Setting("--smtp-require-tls", "DEADMAN_SMTP_REQUIRE_TLS", "false", "true: refuse a server without TLS"),
    Setting("--smtp-user", "DEADMAN_SMTP_USER", "", "user name at the mail server; empty: none"),
    Setting("--smtp-password-file", "DEADMAN_SMTP_PASSWORD_FILE", "", "file with that user's password"),
    Setting("--runbook-url", "RUNBOOK_URL", Links().runbook_url, "the runbook is at <this>/Watchdog; empty: no link"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the switch was told, checked."""

    listen_address: Address
    timeout: float
    channels: tuple[SlackWebhook | Mail, ...]
    """Never empty."""
    runbook_url: str


def read(arguments: list[str] | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read flags, and environment variables where a flag is not given; a wrong one ends the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m alertmanager.deadman",
        description="Pages by its own Slack webhook and mail server when the alerting's heartbeat stops.",
        epilog="@FILE reads flags from a file, one word a line.",
        fromfile_prefix_chars="@",
    )
    for setting in SETTINGS:
        default = environment.get(setting.variable, setting.default)
        # The default may hold a percent sign, which argparse would take for a placeholder.
        shown = f"{setting.help} ({setting.variable}, {setting.default or 'empty'})".replace("%", "%%")
        parser.add_argument(setting.flag, default=default, help=shown)
    options = parser.parse_args(arguments)
    try:
        return _settings(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))


def _settings(options: argparse.Namespace) -> Settings:
    channels: tuple[SlackWebhook | Mail, ...] = (*_slack(options), *_mail(options))
    if not channels:
        raise ValueError("no channel: set --slack-url-file, or --smtp-smarthost, --smtp-from and --smtp-to, or both")
    timeout = _checked("--timeout", options.timeout, float)
    if not 0 < timeout < 1e6:
        raise ValueError(f"--timeout: expected seconds above 0, got {options.timeout!r}")
    listen_address = _checked("--listen-address", options.listen_address, parse)
    return Settings(listen_address, timeout, channels, options.runbook_url.rstrip("/"))


def _slack(options: argparse.Namespace) -> tuple[SlackWebhook, ...]:
    if not options.slack_url_file:
        return ()
    url = _secret("--slack-url-file", options.slack_url_file)
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"--slack-url-file: {options.slack_url_file} holds no http(s) URL")
    return (SlackWebhook(Path(options.slack_url_file)),)


def _mail(options: argparse.Namespace) -> tuple[Mail, ...]:
    if not options.smtp_smarthost:
        return ()
    if not options.smtp_from or not options.smtp_to:
        raise ValueError("--smtp-smarthost needs --smtp-from and --smtp-to")
    if bool(options.smtp_user) != bool(options.smtp_password_file):
        raise ValueError("--smtp-user and --smtp-password-file: set both, or neither")
    if options.smtp_require_tls not in ("true", "false"):
        raise ValueError(f"--smtp-require-tls: expected true or false, got {options.smtp_require_tls!r}")
    if options.smtp_password_file:
        _secret("--smtp-password-file", options.smtp_password_file)
    return (
        Mail(
            _checked("--smtp-smarthost", options.smtp_smarthost, parse),
            options.smtp_from,
            options.smtp_to,
            options.smtp_require_tls == "true",
            options.smtp_user,
            Path(options.smtp_password_file) if options.smtp_password_file else None,
        ),
    )


def _secret(flag: str, path: str) -> str:
    """Read a secret at start, so that a missing one is found now and not at the first page."""
    try:
        text = Path(path).read_text().strip()
    except OSError as error:
        raise ValueError(f"{flag}: cannot read {path}: {error.strerror}") from error
    if not text:
        raise ValueError(f"{flag}: {path} is empty")
    return text


def _checked(flag: str, text: str, convert: Callable[[str], T]) -> T:
    try:
        return convert(text)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from error
