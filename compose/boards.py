"""`inferwatch dashboards`: the boards in a Grafana of your own, and the marks that drills leave there."""

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from alertmanager.receivers import read_secret
from alerts.links import from_environment
from compose.settings import Settings
from dashboards.__main__ import render
from dashboards.publish import Grafana, PublishError


def check(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Say whether a Grafana could take the boards."""
    with _grafana(options.url, options.token_file) as grafana:
        found = grafana.differences(_boards())
    missing = sum(one.missing for one in found)
    print(f"Grafana {grafana.version} at {grafana.url} can take the boards:")
    print(f"{missing} missing, {len(found) - missing} different")
    return 0


def push(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Write what is missing or differs."""
    with _grafana(options.url, options.token_file) as grafana:
        pushed = grafana.push(_boards(), dry_run=options.dry_run)
    return _said("would write" if options.dry_run else "written", pushed)


def diff(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Show what a push would change; 1 where it would."""
    with _grafana(options.url, options.token_file) as grafana:
        found = grafana.differences(_boards())
    for one in found:
        print(f"{one.uid}: not there" if one.missing else "\n".join(one.lines))
    return 1 if found else 0


def prune(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    """Delete what is ours there and no longer here."""
    with _grafana(options.url, options.token_file) as grafana:
        gone = grafana.prune(_boards(), dry_run=options.dry_run)
    return _said("would delete" if options.dry_run else "deleted", gone)


def mark(drill: str, began: float) -> None:
    """Mark a drill, from a time in seconds since the epoch to now, in the Grafana that the environment names, if any.

    Where that fails, it is said and no more: a drill that was proven stays so.
    """
    if not (os.environ.get("GRAFANA_URL") and os.environ.get("GRAFANA_TOKEN_FILE")):
        return
    try:
        with _grafana(None, None) as grafana:
            grafana.mark_drill(drill, began, time.time())
    except (PublishError, ValueError) as error:
        print(f"inferwatch: the drill is not marked in Grafana: {error}", file=sys.stderr)


def _boards() -> dict[str, str]:
    """Ours by uid, with links as the environment says."""
    return {name.removesuffix(".json"): text for name, text in render(from_environment(os.environ)).items()}


def _grafana(url: str | None, token_file: Path | None) -> Grafana:
    url, file = url or os.environ.get("GRAFANA_URL"), token_file or os.environ.get("GRAFANA_TOKEN_FILE")
    if not url or not file:
        raise ValueError("which Grafana? set GRAFANA_URL and GRAFANA_TOKEN_FILE, or say --url and --token-file")
    return Grafana(url, read_secret(Path(file)))


def _said(done: str, boards: list[str]) -> int:
    print(f"{done}: {', '.join(boards)}" if boards else "nothing to do")
    return 0
