"""The catalogue as a table for people."""

from collections.abc import Iterable

from exporters.catalogue.metric import Metric


def markdown(metrics: Iterable[Metric]) -> str:
    """One row a metric: name, type, the labels that the exporter attaches, meaning."""
    return "\n".join(("| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *map(_row, metrics)))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |"
