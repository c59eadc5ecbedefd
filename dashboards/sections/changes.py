"""What runs, since when, and whether replicas differ: most incidents begin with a change."""

from alerts import signals
from dashboards.board import Section
from dashboards.marks import NEW_BUILD, NEW_DRIVER
from dashboards.panels import Query, Said, above, lines, states
from dashboards.queries import LINES, WHOLE_RANGE, worst
from dashboards.sdk import PanelBuilder
from dashboards.variables import IN_SERVICE, ON_HOST

_KINDS = 12
"""Rows of each kind."""


def of_services_and_hosts() -> Section:
    """Builds of all services and drivers of all hosts."""
    return Section("What changed?", (_builds(16), _drivers(8)))


def of_services() -> Section:
    """Builds of the chosen services."""
    return Section("What changed?", (_builds(24),))


def _builds(width: int) -> PanelBuilder:
    said = Said(
        "What runs: version, model, configuration",
        "Did something change when it began? A bar for each build, from its first sample to its last: one that begins "
        f"within the range is a deployment. Bad: two bars of one service side by side for long. At most {_KINDS}.",
        unit="none",
        nothing="No engine says what it runs",
        width=width,
    )
    kinds = "service, model, version, config_hash"
    shown = f"0 * count by ({kinds}) ({{build}}) + 1"
    expr = worst("topk", _KINDS, shown, back=WHOLE_RANGE, build=signals.BUILD_INFO.where(**IN_SERVICE))
    return states(said, Query(expr, "{{service}}: {{model}} {{version}} {{config_hash}}"), {"1": ("runs", NEW_BUILD)})


def _drivers(width: int) -> PanelBuilder:
    said = Said(
        "GPU drivers, by cluster",
        "Was a driver changed? A bar for each version, from its first host to its last. Bad: a version that is new and "
        f"on hosts that have trouble. At most {_KINDS}.",
        unit="none",
        nothing="No GPU says which driver it runs on",
        width=width,
    )
    shown = "0 * count by (cluster, driver_version) ({gpu}) + 1"
    expr = worst("topk", _KINDS, shown, back=WHOLE_RANGE, gpu=signals.GPU_INFO.where(**ON_HOST))
    return states(said, Query(expr, "{{cluster}}: {{driver_version}}"), {"1": ("runs", NEW_DRIVER)})


def too_many() -> PanelBuilder:
    """Whether replicas of one model differ."""
    said = Said(
        "Builds too many",
        "Do replicas of one model differ? Builds of a service beyond one for each of its models. Orange from 1: during "
        "a deployment that is meant, for longer it is not.",
        unit="none",
        nothing="No engine says what it runs",
        width=8,
        decimals=0,
    )
    per = "cluster, namespace, service"
    shown = (
        f"count by ({per}) (count by ({per}, version, model, config_hash) ({{build}}))"
        f" - count by ({per}) (count by ({per}, model) ({{build}}))"
    )
    expr = worst("topk", LINES, shown, build=signals.BUILD_INFO.where(**IN_SERVICE))
    return lines(said, [Query(expr, "{{cluster}}/{{service}}")], thresholds=above(1))
