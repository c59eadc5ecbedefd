"""`python -m dashboards`: write the boards as the JSON that Grafana reads."""

import argparse
import os
import sys
from pathlib import Path

from alerts.links import Links, from_environment
from alerts.output import write
from dashboards.board import build
from dashboards.boards import BOARDS
from dashboards.sdk import to_json


def render(links: Links) -> dict[str, str]:
    """Every board: file name to JSON."""
    return {f"{board.uid}.json": to_json(build(board, links)) for board in BOARDS}


def main(arguments: list[str] | None = None) -> int:
    """Render, write, print what changed."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards",
        description="Write Grafana's boards. RUNBOOK_URL in the environment sets where runbooks are linked to.",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("generated"), help="folder to write to (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        changed = write(render(from_environment(os.environ)), options.output)
    except (OSError, ValueError) as error:
        print(f"python -m dashboards: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {', '.join(changed) if changed else 'nothing changed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
