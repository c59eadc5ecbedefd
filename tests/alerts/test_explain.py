"""`inferwatch rules explain`: an alert in words, without a template in sight."""

import pytest

from alerts.explain import explain
from alerts.rules import catalogue
from alerts.timing import load

TIMING = load()


def test_an_alert_is_told_with_its_times_and_its_neighbours_in_the_graph():
    text = explain("EngineDown", TIMING)

    assert text.startswith("EngineDown: Engine down: <service> on <host>\n")
    assert "fires after     15s\n" in text
    assert "heard within    42 s of the fault\n" in text
    assert "ServiceDown (same cluster, service)" in text
    assert "GpuEccUncorrectable, GpuOverheating, PrometheusIsolated, FleetTargetsDown\n" in text
    assert "drill           engine_dies\n" in text


@pytest.mark.parametrize("name", catalogue(TIMING))
def test_no_template_is_left_in_the_words(name):
    words, _, expression = explain(name, TIMING).partition("\nexpression\n")

    assert "{{" not in words
    assert expression.strip()


def test_an_unknown_alert_is_refused_with_the_names_there_are():
    with pytest.raises(KeyError, match=r"no alert 'EngineDwn'; there are .*EngineDown"):
        explain("EngineDwn", TIMING)
