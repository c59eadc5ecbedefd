"""From tallies to metric families, built anew at each scrape."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from exporters.catalogue import probe
from exporters.catalogue.metric import Metric
from exporters.probe.config import Target
from exporters.probe.loop import Prober, Tally


class ProbeCollector(Collector):
    """Exposes what a prober knows when it is asked."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    def collect(self) -> Iterator[Family]:
        """Every family of the catalogue; a family without samples still says that it exists."""
        tallies = self._prober.tallies
        yield _counter(probe.ATTEMPTS, {_labels(*item): item[1].attempts for item in tallies.items()})
        yield _counter(
            probe.FAILURES,
            {
                (*_labels(target, tally), reason): count
                for target, tally in tallies.items()
                for reason, count in tally.failures.items()
            },
        )
        last = {_labels(target, tally): tally.last for target, tally in tallies.items() if tally.last}
        yield _gauge(probe.SUCCESS, {labels: float(not result.reason) for labels, result in last.items()})
        yield _gauge(probe.DURATION, {labels: result.duration for labels, result in last.items()})
        yield _gauge(probe.CONNECT, {labels: result.connect for labels, result in last.items()})
        yield _gauge(probe.TIME_TO_FIRST_TOKEN, {labels: result.time_to_first_token for labels, result in last.items()})
        yield _gauge(
            probe.TIME_PER_OUTPUT_TOKEN, {labels: result.time_per_output_token for labels, result in last.items()}
        )
        yield _gauge(probe.ANSWER_MATCHES, {_labels(*item): item[1].answer_matches for item in tallies.items()})
        yield _counter(
            probe.ANSWER_MISMATCHES,
            {_labels(*item): item[1].mismatches for item in tallies.items() if item[0].check_answers},
        )
        yield _gauge(probe.LAST_SUCCESS, {_labels(*item): item[1].last_success for item in tallies.items()})


def _labels(target: Target, tally: Tally) -> tuple[str, ...]:
    """In the order of the catalogue: target, target_service, model."""
    return (target.name, target.service, tally.model)


def _gauge(metric: Metric, samples: Mapping[tuple[str, ...], float | None]) -> Family:
    """A gauge family; None is no sample."""
    family = GaugeMetricFamily(metric.family, metric.help, labels=metric.labels)
    for labels, value in samples.items():
        if value is not None:
            family.add_metric(labels, value)
    return family


def _counter(metric: Metric, samples: Mapping[tuple[str, ...], float]) -> Family:
    """A counter family."""
    family = CounterMetricFamily(metric.family, metric.help, labels=metric.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family
