"""Every name that rules read of a program that is not ours stands on a page recorded from that program."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alerts import foreign

PAGES = Path(__file__).parents[1] / "fixtures/exporters"
CASES = [
    pytest.param(page, signal, id=signal.name)
    for page, signals in (
        ("prometheus-2.42", foreign.PROMETHEUS),
        ("alertmanager-0.25", foreign.ALERTMANAGER),
        ("node-exporter-1.5", foreign.NODE),
    )
    for signal in signals
]
OWN = {page.stem: page.read_text() for page in PAGES.glob("*.prom")}
TARGET_SIDE = {"cluster", "namespace", "service", "host", "job", "instance"}


@pytest.mark.parametrize(("page", "signal"), CASES)
def test_a_foreign_name_is_on_the_recorded_page_with_its_labels(page, signal):
    samples = [
        sample
        for family in text_string_to_metric_families(OWN[page])
        for sample in family.samples
        if sample.name == signal.name
    ]

    assert samples
    assert all(set(signal.labels) - TARGET_SIDE <= set(sample.labels) for sample in samples)


@pytest.mark.parametrize("page", OWN)
def test_a_recorded_page_tells_nothing_of_the_machine_it_was_recorded_on(page):
    assert "/home/" not in OWN[page]
    assert "/tmp/" not in OWN[page]
    assert "/root/" not in OWN[page]
