"""From values to metric families, by the catalogue's declaration. Knows neither GPUs nor the driver."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from exporters.catalogue.metric import Metric
from exporters.gpu.devices.reading import GpuReading, Identity

K = TypeVar("K")


def families(metric: Metric, samples: Iterable[tuple[tuple[str, ...], float | None]]) -> Iterator[Family]:
    """The family of this metric, or nothing where no sample has a value.

    One sample that a scraper cannot take would cost it the whole page, so that it is left out here: what is no
    finite number, a counter below 0, and labels that were there before.

    Args:
        metric: A gauge, counter or info.
        samples: Label values in the metric's order, and the value; None is no sample.
    """
    family = _empty(metric)
    seen: set[tuple[str, ...]] = set()
    for labels, value in samples:
        if value is None or not math.isfinite(value) or labels in seen or (metric.type == "counter" and value < 0):
            continue
        seen.add(labels)
        if isinstance(family, InfoMetricFamily):
            family.add_metric(labels, {})
        else:
            family.add_metric(labels, float(value))
    if family.samples:
        yield family


def per_gpu(
    metric: Metric, readings: Iterable[GpuReading], value: Callable[[GpuReading], float | None]
) -> Iterator[Family]:
    """The family of a metric that each GPU has once."""
    return families(metric, ((gpu_labels(reading.identity), value(reading)) for reading in readings))


def per_gpu_and(
    metric: Metric, readings: Iterable[GpuReading], values: Callable[[GpuReading], Mapping[K, float]]
) -> Iterator[Family]:
    """The family of a metric that each GPU has several times: once per key, or tuple of keys, of `values`."""
    yield from families(
        metric,
        (
            ((*gpu_labels(reading.identity), *map(str, key if isinstance(key, tuple) else (key,))), float(value))
            for reading in readings
            for key, value in values(reading).items()
        ),
    )


def gpu_labels(identity: Identity) -> tuple[str, str]:
    """Values of `GPU_LABELS`."""
    return (str(identity.index), identity.uuid)


def _empty(metric: Metric) -> GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily:
    match metric.type:
        case "counter":
            return CounterMetricFamily(metric.family, metric.help, labels=metric.labels)
        case "info":
            return InfoMetricFamily(metric.family, metric.help, labels=metric.labels)
        case "gauge":
            return GaugeMetricFamily(metric.family, metric.help, labels=metric.labels)
        case "histogram":
            raise ValueError(f"{metric.name}: no GPU reports a histogram")
