"""What the SDK has collected, as Prometheus reads it: text, or OpenMetrics with exemplars.

The SDK's own Prometheus reader drops exemplars and makes up names and labels; here both come from the catalogue.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from opentelemetry.sdk.metrics import Exemplar as OtelExemplar
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    MetricsData,
    NumberDataPoint,
)
from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exporters.catalogue import llm
from exporters.catalogue.metric import Metric
from inference.telemetry.instruments import label, otel_name
from inference.telemetry.tally import Tally

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily
Point = NumberDataPoint | HistogramDataPoint
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Series:
    """One histogram: counts by bucket, not cumulative, and exemplars by bucket."""

    labels: Labels
    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, Exemplar]


class Exposition(Collector):
    """Serves instruments and tallies under the catalogue's names.

    Args:
        reader: Belongs to the meter provider whose instruments are served.
        expected: Label values, by metric name, of histogram series to show as 0 before their first observation:
            a rate over a series that begins at 1 misses that first one.
        tallies: By metric name: the histograms that the SDK does not count, each with its label values.
    """

    def __init__(
        self,
        reader: InMemoryMetricReader,
        expected: Mapping[str, Sequence[Labels]],
        tallies: Mapping[str, tuple[Labels, Tally]],
    ) -> None:
        self._reader = reader
        self._expected = expected
        self._tallies = tallies
        # The SDK hands an exemplar out once. Kept, because more than one scraper may come; each bucket holds one.
        self._exemplars: dict[tuple[str, Labels], dict[int, Exemplar]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its Content-Type, in the format that the Accept header prefers."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # it reads versions as numbers, and clients may write anything
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry would collect only to learn names that are in the catalogue."""
        return ()

    def collect(self) -> Iterator[Family]:
        """One family for each metric of the catalogue, with what is known now."""
        points = _points_by_name(self._reader.get_metrics_data())
        for metric in llm.METRICS:
            found = points.get(otel_name(metric), [])
            yield _histogram(metric, self._series(metric, found)) if metric.buckets else _number(metric, found)

    def _series(self, metric: Metric, points: Sequence[Point]) -> Iterator[_Series]:
        seen = set()
        for point in points:
            if isinstance(point, HistogramDataPoint):
                seen.add(labels := _label_values(metric, point))
                kept = self._exemplars.setdefault((metric.name, labels), {})
                kept.update(_exemplars(metric.buckets, point.exemplars))
                yield _Series(labels, point.bucket_counts, point.sum, kept)
        for labels in self._expected.get(metric.name, ()):
            if labels not in seen:
                yield _Series(labels, [0] * (len(metric.buckets) + 1), 0, {})
        if metric.name in self._tallies:
            labels, tally = self._tallies[metric.name]
            reading = tally.read()
            yield _Series(labels, reading.counts, reading.sum, reading.exemplars)


def exemplar(value: float, trace_id: int, span_id: int, time_unix_nano: int | None = None) -> Exemplar:
    """A value with the trace that it came from, at a time or now."""
    ids = {"trace_id": format_trace_id(trace_id), "span_id": format_span_id(span_id)}
    return Exemplar(ids, value, (time_unix_nano or time.time_ns()) / 1e9)


def _points_by_name(data: MetricsData | None) -> dict[str, list[Point]]:
    return {
        metric.name: list(metric.data.data_points)  # type: ignore[arg-type]  # no view makes exponential ones
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def _label_values(metric: Metric, point: Point) -> Labels:
    """In the catalogue's order; an attribute that the point lacks is an empty label, which Prometheus reads as none."""
    values = {label(key): str(value) for key, value in (point.attributes or {}).items()}
    return tuple(values.get(name, "") for name in metric.labels)


def _number(metric: Metric, points: Sequence[Point]) -> Family:
    values = [(_label_values(metric, point), point.value) for point in points if isinstance(point, NumberDataPoint)]
    if metric.type == "info":
        info = InfoMetricFamily(metric.family, metric.help, labels=metric.labels)
        for labels, _ in values:
            info.add_metric(labels, {})
        return info
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = kind(metric.family, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, series: Iterable[_Series]) -> Family:
    family = HistogramMetricFamily(metric.family, metric.help, labels=metric.labels)
    bounds = [str(floatToGoString(bound)) for bound in (*metric.buckets, float("inf"))]  # type: ignore[no-untyped-call]
    for one in series:
        cumulative = zip(bounds, accumulate(one.counts), strict=True)
        family.add_metric(
            one.labels,
            [
                (bound, count, one.exemplars[index]) if index in one.exemplars else (bound, count)
                for index, (bound, count) in enumerate(cumulative)
            ],
            one.sum,
        )
    return family


def _exemplars(buckets: Sequence[float], found: Sequence[OtelExemplar]) -> dict[int, Exemplar]:
    """The newest of each bucket."""
    return {
        bisect_left(buckets, one.value): exemplar(one.value, one.trace_id, one.span_id or 0, one.time_unix_nano)
        for one in sorted(found, key=lambda one: one.time_unix_nano)
        if one.trace_id
    }
