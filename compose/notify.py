"""`inferwatch notify test` and `inferwatch export alertmanager`: the channels tried, and the routes for elsewhere."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from alertmanager import export as part
from alertmanager import trial
from alertmanager.generate import CONFIGURATION, dump, render
from alertmanager.receivers import Receivers, from_environment
from alertmanager.teams import load
from alerts.output import write
from compose import channels
from compose.binaries import ensure
from compose.configuration import check, links
from compose.settings import Settings

_NOTHING_YET = """\
global: {smtp_smarthost: "mail:25", smtp_from: inferwatch@example.org}
route: {receiver: x}
receivers: [{name: x}]
"""
"""Stands for the installation that the routes are meant for, so that amtool can check them."""

_HEADER = "# Made by `inferwatch export alertmanager`. "
_HOW = (
    "Put the route first among yours, add the other sections to yours, and the templates\n"
    "# beside it; or let `--into FILE` do it. Secrets are read from the files named here.\n"
)


def test(settings: Settings) -> list[trial.Outcome]:
    """Send a test page through every channel, as the settings, teams and secrets are now.

    Raises:
        ValueError: A setting or secret is not usable.
        BinariesMissingError: There is no Alertmanager.
    """
    settings.state.create()
    ensure(settings.bin_dir, print)
    receivers, teams = channels.prepare(settings)
    files = render(settings.timing, links(settings), receivers, teams)
    with tempfile.TemporaryDirectory(dir=settings.state.root, prefix=".notify-") as scratch:
        write(files, Path(scratch))
        document = yaml.safe_load(files[CONFIGURATION])
        templates = [*receivers.templates[:1], f"{scratch}/*.tmpl"]
        document |= {"templates": templates}
        return trial.send_all(settings.bin_dir / "alertmanager", document, settings.url("alertmanager"))


def export(
    settings: Settings, environment: Mapping[str, str], folder: Path, into: Path | None, installed_at: str | None
) -> Iterator[Path]:
    """Write the routes for an Alertmanager that exists already, have amtool check them, and give what was written.

    Raises:
        ValueError: A setting, a team or the file to merge into is not usable.
        ConfigurationError: amtool refuses the result.
    """
    ensure(settings.bin_dir, print)
    there = Path(installed_at) if installed_at else folder.resolve()
    base = Receivers(heartbeat_url=f"{settings.url('deadman')}/heartbeat", templates=(str(there / "*.tmpl"),))
    made = part.fragment(settings.timing, links(settings), from_environment(environment, base), load(settings.teams))
    try:
        merged = part.merge(into.read_text() if into else _NOTHING_YET, made)
    except ValueError as error:
        raise ValueError(f"{into}: {error}") from error
    files = part.templates(links(settings))
    files["inferwatch.yml"] = _HEADER + _HOW + dump(made)
    if into:
        files["merged.yml"] = f"{_HEADER}{into.name} with the routes of Inferwatch.\n" + dump(merged)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        yield folder / name
    with tempfile.TemporaryDirectory(prefix="inferwatch-export-") as scratch:
        trying = Path(scratch, CONFIGURATION)
        trying.write_text(dump(merged | {"templates": [str(folder.resolve() / "*.tmpl")]}))
        check(settings.bin_dir / "amtool", "check-config", str(trying))
