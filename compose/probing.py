"""probe.yml: whom the prober asks, and how often."""

from collections.abc import Mapping, Sequence

import yaml

from alerts.timing import Timing


def render(timing: Timing, targets: Sequence[Mapping[str, str]]) -> str:
    """The prober's configuration file as YAML."""
    document = {"interval": timing.probe_interval, "timeout": timing.probe_timeout, "targets": list(targets)}
    return "# Rendered at every start; edits are lost.\n" + yaml.safe_dump(document, sort_keys=False)
