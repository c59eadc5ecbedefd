"""`python -m compose.setup`: the one-shot service that checks the environment and renders what the containers read."""

import argparse
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from alertmanager import generate as routes
from alertmanager import teams
from alertmanager.receivers import TEMPLATES, Receivers, check_secrets, from_environment, read_secret
from alertmanager.teams import Team
from alerts import generate as rules
from alerts.links import Links
from alerts.links import from_environment as links_from_environment
from alerts.output import write
from alerts.timing import CLOCKS, Timing, load
from compose import channels, inside, probing, prometheus
from compose.settings import CHANNELS
from dashboards.__main__ import render as boards

_Choice = TypeVar("_Choice", bound=str)
_PROMETHEUS_VERSION = (3, 14)
_WITHOUT = ("grafana", "tempo", "loki", "otel-collector")
"""Services that can be left out, since no alert rests on them."""
_PASSWORD_BYTES = 24


def timing(environment: Mapping[str, str]) -> Timing:
    """The clock that the stack runs by.

    Raises:
        ValueError: The clock is unknown, or a variable that carries a part of it says otherwise.
    """
    clock = _one_of(environment, "INFERWATCH_CLOCK", CLOCKS)
    chosen = load().at(clock)
    for name, value in inside.clock_variables(chosen).items():
        if (said := environment.get(name, value)) != value:
            raise ValueError(f"{name} is {said}, but the {clock} clock needs {value}; set it in .env")
    return chosen


def without(environment: Mapping[str, str]) -> frozenset[str]:
    """Services that the user left out.

    Raises:
        ValueError: One of them cannot be.
    """
    names = frozenset(filter(None, environment.get("INFERWATCH_WITHOUT", "").split(",")))
    if unknown := names - set(_WITHOUT):
        raise ValueError(
            f"INFERWATCH_WITHOUT: {', '.join(sorted(unknown))} cannot be left out; {', '.join(_WITHOUT)} can"
        )
    return names


def links(environment: Mapping[str, str]) -> Links:
    """Where messages and boards link to."""
    return links_from_environment(environment)


def render(environment: Mapping[str, str], root: Path = Path("/")) -> None:
    """Write everything below root.

    Raises:
        ValueError: A variable, a secret or a file that the user edits is not usable; the message names it.
    """
    clock, where = timing(environment), links(environment)
    real = _one_of(environment, "INFERWATCH_CHANNELS", CHANNELS) == "real"
    told = who(environment)
    said = _real_receivers(environment, root) if real else _inbox(root)
    check_secrets(replace(said, secrets=str(_at_root(root, Path(said.secrets)))), told)
    _prometheus(root, environment, clock, where)
    files = routes.render(clock, where, said, told)
    files |= {path.name: path.read_text() for path in TEMPLATES.glob("*.tmpl")}
    write(files, _at_root(root, inside.ALERTMANAGER))
    flags = _deadman(clock, channels.watcher_flags(said, told, real=real))
    _put(root, inside.DEADMAN / "flags", "\n".join(flags) + "\n")
    _put(root, inside.PROBE / "probe.yml", probing.render(clock, _probe_targets(root)))
    _grafana(root, where)


def who(environment: Mapping[str, str]) -> dict[str, Team]:
    """The teams; where the channels are the inbox, only with what the inbox takes.

    Raises:
        ValueError: teams.yaml is not usable.
    """
    found = teams.load()
    if environment.get("INFERWATCH_CHANNELS") == "real":
        return found
    return {name: team.inbox_only() for name, team in found.items()}


def _inbox(root: Path) -> Receivers:
    url = next(part.url for part in inside.parts() if part.name == "inbox")
    for folder in (inside.ALERTMANAGER, inside.DEADMAN):
        _put(root, folder / "slack_url", f"{url}/slack\n")
    return inside.receivers()


def _real_receivers(environment: Mapping[str, str], root: Path) -> Receivers:
    """Slack, mail and pager as the environment and compose/secrets say.

    Raises:
        ValueError: Something is missing or not usable.
    """
    missing = [name for name in ("SMTP_SMARTHOST", "SMTP_FROM") if not environment.get(name)]
    if missing:
        raise ValueError(f"INFERWATCH_CHANNELS=real needs {', '.join(missing)} too; set them in .env")
    said = {**environment, "SECRETS_DIR": str(inside.SECRETS)}
    if (heartbeat := _at_root(root, inside.SECRETS) / "heartbeat_url").exists():
        said["HEARTBEAT_URL_FILE"] = str(heartbeat)
    return from_environment(said, inside.receivers())


def _one_of(environment: Mapping[str, str], name: str, choices: tuple[_Choice, ...]) -> _Choice:
    value = environment.get(name) or choices[0]
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _prometheus(root: Path, environment: Mapping[str, str], clock: Timing, where: Links) -> None:
    folder = _at_root(root, inside.PROMETHEUS)
    write(rules.render(clock, where), folder / "rules")
    site = prometheus.Site(
        inside.TARGETS,
        _PROMETHEUS_VERSION,
        # The machine's own name: setup runs in the host's UTS namespace.
        host=socket.gethostname(),
        discovery=f"http://verify:{inside.VERIFY_PORT}/targets",
        remote_write=_remote_write(environment, root),
    )
    text = prometheus.render(inside.parts(without(environment)), clock, site)
    _put(root, inside.PROMETHEUS / "prometheus.yml", text)


def _remote_write(environment: Mapping[str, str], root: Path) -> dict[str, Any] | None:
    """A second store of every sample, with a bearer token if compose/secrets has one for it."""
    if not (url := environment.get("REMOTE_WRITE_URL", "")):
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError("REMOTE_WRITE_URL: expected an http(s) URL")
    token = _at_root(root, inside.SECRETS) / "remote_write_token"
    if not token.exists():
        return {"url": url}
    # Copied, since Prometheus sees none of the other secrets.
    copy = inside.PROMETHEUS / "remote_write_token"
    _put(root, copy, read_secret(token))
    return {"url": url, "authorization": {"credentials_file": str(copy)}}


def _deadman(clock: Timing, flags: tuple[str, ...]) -> list[str]:
    """Its flags, as argparse reads them from a file: one word a line."""
    words = ["--timeout", f"{3 * clock.heartbeat_interval:g}", *flags]
    return [word.replace(f"{inside.ALERTMANAGER}/", f"{inside.DEADMAN}/") for word in words]


def _probe_targets(root: Path) -> list[dict[str, str]]:
    """The prober's targets, with the API key that compose/secrets may have for it."""
    secret = _at_root(root, inside.SECRETS) / "probe_api_key"
    if not secret.exists():
        return inside.probe_targets()
    _put(root, inside.PROBE / "api_key", read_secret(secret))
    return [target | {"api_key_file": "api_key"} for target in inside.probe_targets()]


def _grafana(root: Path, where: Links) -> None:
    """Boards, and an administrator's password: the user's, else one made at the first start."""
    write(boards(where), _at_root(root, inside.BOARDS))
    given = _at_root(root, inside.SECRETS) / "grafana_admin_password"
    kept = _at_root(root, inside.GRAFANA) / "admin_password"
    if given.exists():
        _put(root, inside.GRAFANA / "admin_password", read_secret(given))
    elif not kept.exists():
        _put(root, inside.GRAFANA / "admin_password", secrets.token_urlsafe(_PASSWORD_BYTES))


def _at_root(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _put(root: Path, path: Path, text: str) -> None:
    target = _at_root(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Its time says when it last changed: verify goes by it.
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """Render; status 2 where the environment cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m compose.setup",
        description="Check the environment of the containers and render what they read.",
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="write below this folder (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        render(os.environ, options.root)
    except (OSError, ValueError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    print("setup: everything is rendered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
