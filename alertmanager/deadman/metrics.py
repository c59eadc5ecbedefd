"""The switch's own metrics, made fresh at each scrape from its state."""

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertmanager.deadman.delivery import Courier
from alertmanager.deadman.watch import Watch
from exporters.catalogue import deadman


class WatchCollector(Collector):
    """Reads a watch and its couriers."""

    def __init__(self, watch: Watch, couriers: Sequence[Courier]) -> None:
        self._watch = watch
        self._couriers = couriers

    def collect(self) -> Iterable[Metric]:
        """Every family of the catalogue; the last heartbeat only once there was one."""
        watch = self._watch
        if watch.last_beat is not None:
            yield _gauge(deadman.LAST_HEARTBEAT.family, deadman.LAST_HEARTBEAT.help, watch.last_beat)
        yield _gauge(deadman.TIMEOUT.family, deadman.TIMEOUT.help, watch.timeout)
        yield _gauge(deadman.BLIND.family, deadman.BLIND.help, float(watch.blind))
        yield CounterMetricFamily(deadman.PAGES.family, deadman.PAGES.help, value=watch.pages)
        delivered = CounterMetricFamily(
            deadman.DELIVERIES.family, deadman.DELIVERIES.help, labels=deadman.DELIVERIES.labels
        )
        failed = CounterMetricFamily(
            deadman.DELIVERY_FAILURES.family, deadman.DELIVERY_FAILURES.help, labels=deadman.DELIVERY_FAILURES.labels
        )
        for courier in self._couriers:
            delivered.add_metric([courier.name], courier.delivered)
            failed.add_metric([courier.name], courier.failed)
        yield from (delivered, failed)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
