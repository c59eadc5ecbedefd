"""Marks over every graph: what happened at that moment. Pages, drills, and what was changed."""

from alerts import signals
from alerts.signals import Signal
from dashboards.sdk import annotation_target, common_model, dashboard
from dashboards.variables import SOURCE

NEW_BUILD, NEW_DRIVER = "purple", "blue"
"""Colours of changes, of their marks and of the panels that list them."""
DRILL_TAGS = ("inferwatch", "drill")
"""Of the annotations that `inferwatch drill` leaves in Grafana."""
_JUST_NOW = "1m"
"""How long a change is marked; longer than the step of a graph of half an hour, so that it is not skipped."""
_BUILD = "cluster, namespace, service, model, version, config_hash"
_DRIVER = "cluster, host, driver_version"


def marks() -> list[dashboard.AnnotationQuery]:
    """What is marked on all boards."""
    return [
        _mark(
            "Firing pages",
            "red",
            'ALERTS{alertstate="firing", severity="page", cluster=~"$cluster|"}',
            ("{{alertname}}", "{{service}} {{host}}"),
        ),
        _mark(
            "New build, model or configuration",
            NEW_BUILD,
            _changed(signals.BUILD_INFO, _BUILD, "cluster, namespace, service"),
            ("{{service}}", "{{model}}, version {{version}}, configuration {{config_hash}}"),
        ),
        _mark(
            "New GPU driver",
            NEW_DRIVER,
            _changed(signals.GPU_INFO, _DRIVER, "cluster, host"),
            ("{{host}}", "driver {{driver_version}}"),
        ),
        _drills(),
    ]


def _changed(signal: Signal, kinds: str, subject: str) -> str:
    """What is there now and was not a moment ago, of subjects that were there a moment ago."""
    chosen = signal.where(cluster__re="$cluster")
    before = f"{chosen} offset {_JUST_NOW}"
    return (
        f"count by ({kinds}) ({chosen}) unless count by ({kinds}) ({before})"
        f" and on ({subject}) count by ({subject}) ({before})"
    )


def _mark(name: str, color: str, expr: str, words: tuple[str, str]) -> dashboard.AnnotationQuery:
    title, text = words
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(color)
        .title_format(title)
        .text_format(text)
        .expr(expr)
    )


def _drills() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Drills")
        .datasource(common_model.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True)
        .icon_color("yellow")
        .target(annotation_target(DRILL_TAGS))
    )
