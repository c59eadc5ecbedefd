"""The whole /metrics page of two H200s, byte for byte. UPDATE_GOLDEN=1 rewrites it."""

import os
from pathlib import Path

import pytest

from exporters.gpu.collection import Collector
from exporters.gpu.collectors import COLLECTORS
from exporters.gpu.page import render
from exporters.gpu.simulator.gpu import Load

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def page(machine, nvml, clock):
    machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
    clock.now += 60
    return render("simulated", Collector(nvml, wall=lambda: 1767225600.5, clock=clock).collect(), COLLECTORS)


@pytest.mark.parametrize(("form", "file"), [("text", "h200.prom"), ("openmetrics", "h200.openmetrics")])
def test_page_of_two_busy_h200s_is_the_golden_one(page, form, file):
    found = getattr(page, form).decode()
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / file).write_text(found)
    assert found == (GOLDEN / file).read_text()
