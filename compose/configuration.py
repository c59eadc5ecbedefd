"""Renders what the native parts read into the state directory, and has promtool and amtool check it."""

import socket
import subprocess
from pathlib import Path

from alertmanager import generate as routes
from alerts import generate as rules
from alerts.links import Links, from_environment
from alerts.output import write
from compose import channels, parts, probing, prometheus
from compose.binaries import is_debian_build, version
from compose.part import ENGINE_PART, Part
from compose.settings import Settings

TARGETS = Path(__file__).with_name("targets")
"""Files that name the user's own engines and exporters."""
_REPLICAS = "replicas.json"


class ConfigurationError(RuntimeError):
    """A rendered file or a secret cannot be used; the message holds the words of who refuses it."""


def configure(settings: Settings, stack: tuple[Part, ...]) -> frozenset[str]:
    """Write every configuration file and secret, and check them.

    Returns:
        The parts whose configuration differs from what was there before.

    Raises:
        ConfigurationError: promtool or amtool refuses a file, or a channel's setting or secret is not usable.
    """
    config = settings.state.config
    changed = {
        "alertmanager": _alertmanager(settings, config / "alertmanager"),
        "prometheus": _prometheus(settings, stack, config),
        "probe": _changed(config / "probe.yml", probing.render(settings.timing, parts.probe_targets(settings))),
    }
    check(settings.bin_dir / "promtool", "check", "config", str(config / "prometheus.yml"))
    check(settings.bin_dir / "amtool", "check-config", str(config / "alertmanager" / routes.CONFIGURATION))
    return frozenset(name for name, differs in changed.items() if differs)


def list_replicas(settings: Settings) -> None:
    """Tell Prometheus which inference services there are beside the first; it reads the file within a second."""
    text = prometheus.listed(parts.replicas(settings), ENGINE_PART, socket.gethostname())
    new = settings.state.config / f"{_REPLICAS}.new"
    new.write_text(text)
    new.replace(settings.state.config / _REPLICAS)


def links(settings: Settings) -> Links:
    """Where messages link to: what the environment sets, else what this stack serves itself."""
    has_page = not is_debian_build(settings.bin_dir / "alertmanager")
    served = {
        "RUNBOOK_URL": f"{settings.url('inbox')}/runbooks",
        # The native stack runs no Grafana; a link to one that may not be there would waste a first responder's minute.
        "GRAFANA_URL": "",
        "ALERTMANAGER_UI_URL": settings.url("alertmanager") if has_page else "",
    }
    return from_environment(served | dict(settings.links))


def _alertmanager(settings: Settings, folder: Path) -> bool:
    try:
        receivers, teams = channels.prepare(settings)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    return bool(write(routes.render(settings.timing, links(settings), receivers, teams), folder))


def _prometheus(settings: Settings, stack: tuple[Part, ...], config: Path) -> bool:
    rules_differ = write(rules.render(settings.timing, links(settings)), config / "rules")
    list_replicas(settings)
    its_version = version(settings.bin_dir / "prometheus") or (2, 42)
    site = prometheus.Site(TARGETS, its_version, socket.gethostname(), discovery=config / _REPLICAS)
    text = prometheus.render(stack, settings.timing, site)
    return _changed(config / "prometheus.yml", text) or bool(rules_differ)


def _changed(path: Path, text: str) -> bool:
    """Write a file; returns whether it differs from what was there."""
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def check(program: Path, *arguments: str) -> None:
    """Run a checker.

    Raises:
        ConfigurationError: It refuses; the message holds its words.
    """
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        words = (ran.stdout + ran.stderr).strip()
        raise ConfigurationError(f"{program.name} {' '.join(arguments)}:\n{words}")
