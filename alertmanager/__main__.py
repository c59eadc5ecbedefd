"""`python -m alertmanager`: write the Alertmanager configuration."""

import argparse
import os
import sys
from pathlib import Path

from alertmanager import receivers, teams
from alertmanager.generate import render
from alerts.links import from_environment
from alerts.output import write
from alerts.timing import DEFAULT_FILE, load

_EPILOG = f"""\
environment: RUNBOOK_URL, GRAFANA_URL, ALERTMANAGER_UI_URL (links; empty leaves one out),
{", ".join(receivers.VARIABLES)} (channels; HEARTBEAT_URL_FILE's content is written into the output)
"""


def main(arguments: list[str] | None = None) -> int:
    """Render, write, print what changed."""
    options = _parser().parse_args(arguments)
    try:
        channels = receivers.from_environment(os.environ, receivers.Receivers())
        who = teams.load(options.teams)
        if options.check_secrets:
            receivers.check_secrets(channels, who)
        files = render(load(options.timing), from_environment(os.environ), channels, who)
        changed = write(files, options.output)
    except (OSError, ValueError) as error:
        print(f"python -m alertmanager: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {', '.join(changed) if changed else 'nothing changed'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alertmanager",
        description="Write the Alertmanager configuration.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--timing", type=Path, default=DEFAULT_FILE, help="clock to generate for (%(default)s)")
    parser.add_argument("--teams", type=Path, default=teams.DEFAULT_FILE, help="who is told (%(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("generated"), help="folder to write to (%(default)s)"
    )
    parser.add_argument(
        "--check-secrets", action="store_true", help="also fail where a secret file is missing, unreadable or empty"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
