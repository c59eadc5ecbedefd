"""Teams: who is told of which alert, and through what. Read from teams.yaml, checked before anything is generated.

Holds names of secret files, never secrets. Knows nothing of how a channel is reached.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

DEFAULT_FILE: Final = Path(__file__).with_name("teams.yaml")

_DAYS = "(sun|mon|tues|wednes|thurs|fri|satur)day"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


def _location(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone called {name!r} on this machine; an example: Europe/Berlin") from error
    return name


def _matcher(text: str) -> str:
    # The form that every Alertmanager from 0.25 reads alike.
    if not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_]*(=|!=|=~|!~)"([^"\\\n]|\\.)*"', text):
        raise ValueError(f'expected label="value", with =, !=, =~ or !~ and the value in double quotes, got {text!r}')
    return text


def _url(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise ValueError(f"expected an http(s) URL without a password in it, got {text!r}")
    return text


def _addresses(text: str) -> str:
    if not all(re.fullmatch(r"[^\s@,]+@[^\s@,]+", address.strip()) for address in text.split(",")):
        raise ValueError(f"expected a mail address, or several with commas between, got {text!r}")
    return text


SecretName = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$")]


class TicketHours(BaseModel):
    """When tickets are sent; those of the night arrive when the hours begin."""

    model_config = _STRICT

    weekdays: list[Annotated[str, Field(pattern=rf"^{_DAYS}(:{_DAYS})?$")]] = Field(min_length=1)
    """Days or ranges of days: `monday:friday`."""
    start: str = Field(pattern=f"^{_TIME}$")
    """`09:00`."""
    end: str = Field(pattern=f"^({_TIME}|24:00)$")
    location: Annotated[str, AfterValidator(_location)] = "UTC"
    """A time zone: `Europe/Berlin`."""

    @model_validator(mode="after")
    def _in_order(self) -> "TicketHours":
        if self.start >= self.end:
            raise ValueError(f"start {self.start} is not before end {self.end}")
        return self


class Team(BaseModel):
    """Who is told, and through what."""

    model_config = _STRICT

    email: Annotated[str, AfterValidator(_addresses)]
    """One address, or several with commas between."""
    slack_url_file: Annotated[SecretName, Field(min_length=1)] = "slack_url"
    """Secret file with the webhook's URL, which also decides the channel."""
    slack_channel: Annotated[str, Field(pattern=r"^([#@]\S{1,80})?$")] = ""
    """Only for webhooks that may post anywhere (Slack's older kind); empty: the webhook's own channel."""
    pagerduty_key_file: SecretName = ""
    """Secret file with the routing key of an Events v2 integration; empty: no PagerDuty."""
    webhook_url: Annotated[str, AfterValidator(_url)] = ""
    """Gets Alertmanager's own JSON with each page; empty: none. It stands in the configuration, so it is no secret."""
    webhook_token_file: SecretName = ""
    """Secret file with a bearer token for the webhook; empty: none."""
    matchers: list[Annotated[str, AfterValidator(_matcher)]] = []
    """Alerts that match all of these are the team's, whatever their label `team` says; empty: only by that label."""
    ticket_hours: TicketHours | None = None
    """None: tickets are sent at any time. Pages always are."""

    @model_validator(mode="after")
    def _token_has_its_webhook(self) -> "Team":
        if self.webhook_token_file and not self.webhook_url:
            raise ValueError("webhook_token_file without webhook_url")
        return self

    @property
    def secret_files(self) -> dict[str, str]:
        """Names of the secret files that must exist, by setting."""
        named = {key: getattr(self, key) for key in ("slack_url_file", "pagerduty_key_file", "webhook_token_file")}
        return {key: name for key, name in named.items() if name}

    def inbox_only(self) -> "Team":
        """The same team where nothing may leave the machine: Slack and email, which the inbox takes."""
        return Team(email=self.email, slack_channel=self.slack_channel, matchers=self.matchers)


class _File(BaseModel):
    model_config = _STRICT

    teams: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")], Team] = Field(min_length=1)


def load(path: Path = DEFAULT_FILE) -> dict[str, Team]:
    """Read a file of teams; the first is the default.

    Raises:
        ValueError: On anything that is unknown, missing or impossible; the message names the file and the settings.
    """
    try:
        return _File.model_validate(_read(path)).teams
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors())
        raise ValueError(f"{path}: " + "; ".join(problems)) from error


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds; it is validated next
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
