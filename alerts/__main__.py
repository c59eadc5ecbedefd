"""`python -m alerts`: write the Prometheus rules."""

import argparse
import os
import sys
from pathlib import Path

from alerts.generate import render
from alerts.links import from_environment
from alerts.objectives import load as load_objectives
from alerts.output import write
from alerts.rules import catalogue, thresholds
from alerts.rules.slo import detection
from alerts.timing import DEFAULT_FILE, Timing, load


def main(arguments: list[str] | None = None) -> int:
    """Render, write, print what changed and the bound of each alert."""
    parser = argparse.ArgumentParser(prog="python -m alerts", description="Write the Prometheus rules.")
    parser.add_argument("--timing", type=Path, default=DEFAULT_FILE, help="clock to generate for (%(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("generated"), help="folder to write to (%(default)s)"
    )
    parser.add_argument("--bounds", action="store_true", help="print each alert's longest time from fault to message")
    parser.add_argument(
        "--detection", action="store_true", help="print how soon each size of fault is noticed, by objective"
    )
    parser.add_argument(
        "--thresholds",
        action="store_true",
        help="print the thresholds that objectives.yaml can change, and write nothing",
    )
    options = parser.parse_args(arguments)
    try:
        timing = load(options.timing)
        if options.thresholds:
            _print_thresholds(timing)
            return 0
        files = render(timing, from_environment(os.environ))
    except (OSError, ValueError) as error:
        print(f"python -m alerts: {error}", file=sys.stderr)
        return 2
    changed = write(files, options.output)
    print(f"{options.output}: {', '.join(changed) if changed else 'nothing changed'}")
    if options.bounds:
        _print_bounds(timing)
    if options.detection:
        print("\n".join(detection(timing, load_objectives())))
    return 0


def _print_thresholds(timing: Timing) -> None:
    objectives = load_objectives()
    known = catalogue(timing, objectives)
    for name, default in thresholds(timing, objectives).items():
        stated = f"  here {objectives.thresholds[name]:g}" if name in objectives.thresholds else ""
        meaning = known[name].threshold if name in known else "disabled"
        print(f"{name:22} {default:<12.10g}{meaning}{stated}")


def _print_bounds(timing: Timing) -> None:
    for alert in catalogue(timing).values():
        if alert.severity != "none":
            print(f"{alert.name:24} {alert.severity:7} {alert.bound(timing):5.0f} s{'  hard' if alert.hard else ''}")


if __name__ == "__main__":
    sys.exit(main())
