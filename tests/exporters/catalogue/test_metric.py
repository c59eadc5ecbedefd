"""The type in which metrics are declared, and what it refuses."""

import pytest

from exporters.catalogue import ALL_METRICS
from exporters.catalogue.metric import Metric

GAUGE = Metric("gpu_power_watts", "gauge", "Power that the board draws now.", ("gpu", "uuid"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gpu:power", "gauge", "Power."), "snake case"),
        (("gpuPower", "gauge", "Power."), "snake case"),
        (("gpu_power_milliwatts", "gauge", "Power."), "base unit"),
        (("gpu_clock_mhz", "gauge", "Clock."), "base unit"),
        (("gpu_wait_ms_total", "counter", "Waiting."), "base unit"),
        (("gpu_energy_joules", "counter", "Energy."), "_total"),
        (("gpu_energy_joules_total", "gauge", "Energy."), "_total"),
        (("gpu_card", "info", "The card."), "_info"),
        (("gpu_wait_seconds", "histogram", "Waiting."), "buckets"),
        (("gpu_power_watts", "gauge", "power"), "help"),
        (("gpu_power_watts", "gauge", "Power.", ("type",)), "label 'type'"),
        (("gpu_power_watts", "gauge", "Power.", ("gpu", "gpu")), "label twice"),
        (("gpu_wait_seconds", "histogram", "Waiting.", (), "", (2.0, 1.0)), "rise"),
    ],
)
def test_a_wrong_declaration_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        Metric(*arguments)


def test_a_metric_in_an_expression_is_its_name():
    assert f"max by (gpu) ({GAUGE})" == "max by (gpu) (gpu_power_watts)"


def test_matchers_are_written_and_quoted_as_promql_wants():
    assert str(GAUGE.where(gpu="0", uuid__ne='a"b\\')) == 'gpu_power_watts{gpu="0", uuid!="a\\"b\\\\"}'
    assert GAUGE.where(gpu__re="0|1").over("5m") == 'gpu_power_watts{gpu=~"0|1"}[5m]'


def test_a_label_that_the_metric_lacks_is_refused():
    with pytest.raises(ValueError, match="has no label 'model'"):
        GAUGE.where(model="x")


@pytest.mark.parametrize("metric", ALL_METRICS, ids=lambda metric: metric.name)
def test_every_gpu_metric_says_where_it_comes_from_or_is_about_the_scrape(metric):
    if metric.name.startswith("gpu_") and not metric.name.startswith("gpu_scrape_"):
        assert metric.source
        assert metric.labels[:2] == ("gpu", "uuid")
