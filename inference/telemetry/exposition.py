"""What the SDK has collected, as Prometheus reads it: text, or OpenMetrics with exemplars.

The SDK's own Prometheus reader drops exemplars and makes up names and labels; here both come from the catalogue.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exporters.catalogue import llm
from exporters.catalogue.metric import Metric
from inference.telemetry.instruments import label, otel_name

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Labels = tuple[str, ...]


class Exposition(Collector):
    """Serves the instruments behind a reader under the catalogue's names.

    Args:
        reader: Belongs to the meter provider whose instruments are served.
        expected: Label values, by metric name, of histogram series to show as 0 before their first observation:
            a rate over a series that begins at 1 misses that first one.
    """

    def __init__(self, reader: InMemoryMetricReader, expected: Mapping[str, Sequence[Labels]]) -> None:
        self._reader = reader
        self._expected = expected
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its Content-Type, in the format that the Accept header prefers."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry would collect only to learn names that are in the catalogue."""
        return ()

    def collect(self) -> Iterator[Family]:
        """One family for each metric of the catalogue, with what the SDK holds now."""
        points = _points_by_name(self._reader.get_metrics_data())
        for metric in llm.METRICS:
            found = points.get(otel_name(metric), [])
            yield (
                _histogram(metric, found, self._expected.get(metric.name, ()))
                if metric.buckets
                else _number(metric, found)
            )


def _points_by_name(data: MetricsData | None) -> dict[str, list[NumberDataPoint | HistogramDataPoint]]:
    return {
        metric.name: list(metric.data.data_points)  # type: ignore[arg-type]  # no view makes exponential ones
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def _label_values(metric: Metric, point: NumberDataPoint | HistogramDataPoint) -> Labels:
    """In the catalogue's order; an attribute that the point lacks is an empty label, which Prometheus reads as none."""
    values = {label(key): str(value) for key, value in (point.attributes or {}).items()}
    return tuple(values.get(name, "") for name in metric.labels)


def _number(metric: Metric, points: Sequence[NumberDataPoint | HistogramDataPoint]) -> Family:
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = kind(metric.family, metric.help, labels=metric.labels)
    for point in points:
        if isinstance(point, NumberDataPoint):
            family.add_metric(_label_values(metric, point), point.value)
    return family


def _histogram(
    metric: Metric, points: Sequence[NumberDataPoint | HistogramDataPoint], expected: Sequence[Labels]
) -> Family:
    family = HistogramMetricFamily(metric.family, metric.help, labels=metric.labels)
    seen = set()
    for point in points:
        if isinstance(point, HistogramDataPoint):
            seen.add(labels := _label_values(metric, point))
            family.add_metric(labels, _buckets(point), point.sum)
    for labels in expected:
        if labels not in seen:
            family.add_metric(labels, [(_le(bound), 0) for bound in (*metric.buckets, float("inf"))], 0)
    return family


def _buckets(point: HistogramDataPoint) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """Cumulative counts; each bucket with the newest exemplar that fell into it."""
    bounds = [*point.explicit_bounds, float("inf")]
    newest: dict[float, OtelExemplar] = {}
    for exemplar in sorted(point.exemplars, key=lambda exemplar: exemplar.time_unix_nano):
        if exemplar.trace_id:
            newest[next(bound for bound in bounds if exemplar.value <= bound)] = exemplar
    return [
        (_le(bound), count, _exemplar(newest[bound])) if bound in newest else (_le(bound), count)
        for bound, count in zip(bounds, accumulate(point.bucket_counts), strict=True)
    ]


def _le(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _exemplar(exemplar: OtelExemplar) -> Exemplar:
    ids = {"trace_id": format_trace_id(exemplar.trace_id or 0), "span_id": format_span_id(exemplar.span_id or 0)}
    return Exemplar(ids, exemplar.value, exemplar.time_unix_nano / 1e9)
