"""Whole /metrics pages, byte for byte. UPDATE_GOLDEN=1 rewrites them."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from exporters.gpu.collection import Collector, Cost
from exporters.gpu.collectors import COLLECTORS
from exporters.gpu.page import render
from exporters.gpu.simulator.gpu import Load
from exporters.gpu.xid.tally import Errors, Sighting

GOLDEN = Path(__file__).parent / "golden"
NOW = 1767225600.5
ERRORS = Errors(
    xids=(Sighting("0000:19:00", "31", 2, NOW - 60), Sighting("0000:19:00", "79", 1, NOW - 30)),
    sxids=(Sighting("nvidia-nvswitch0", "12028", 1, NOW - 90),),
    watcher_alive_at=NOW - 0.5,
    kernel_log_readable=True,
)
COST = Cost(restarts=(("reader", 1), ("watcher", 0)), kills=(("reader", 1), ("watcher", 0)), abandoned=0)


@pytest.fixture
def collector(machine, sweeper, clock):
    machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
    clock.now += 60
    return Collector(sweeper, wall=lambda: NOW, clock=clock)


def check(collector, clock, form, file):
    collection = replace(collector.collect(), errors=ERRORS, cost=COST)
    found = getattr(render("simulated", collection, COLLECTORS, clock), form).decode()
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / file).write_text(found)
    assert found == (GOLDEN / file).read_text()


@pytest.mark.parametrize(("form", "file"), [("text", "h200.prom"), ("openmetrics", "h200.openmetrics")])
def test_page_of_two_busy_h200s_is_the_golden_one(collector, machine, clock, form, file):
    machine.change(1, {"state": "lost"})
    collector.collect()
    machine.change(1, {"state": None})
    check(collector, clock, form, file)


def test_page_of_a_broken_driver_is_the_golden_one(collector, machine, clock):
    collector.collect()
    machine.set_driver("mismatch")
    check(collector, clock, "text", "broken_driver.prom")
