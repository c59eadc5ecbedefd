"""`python -m alertmanager`: write the Alertmanager configuration."""

import argparse
import os
import sys
from pathlib import Path

from alertmanager.generate import render
from alertmanager.receivers import Receivers
from alerts.links import from_environment
from alerts.output import write
from alerts.timing import DEFAULT_FILE, load


def main(arguments: list[str] | None = None) -> int:
    """Render, write, print what changed."""
    parser = argparse.ArgumentParser(prog="python -m alertmanager", description="Write the Alertmanager configuration.")
    parser.add_argument("--timing", type=Path, default=DEFAULT_FILE, help="clock to generate for (%(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("generated"), help="folder to write to (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        files = render(load(options.timing), from_environment(os.environ), Receivers())
        changed = write(files, options.output)
    except (OSError, ValueError) as error:
        print(f"python -m alertmanager: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {', '.join(changed) if changed else 'nothing changed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
