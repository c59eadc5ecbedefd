"""Whole /metrics pages, byte for byte. UPDATE_GOLDEN=1 rewrites them."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.gpu.attribution.usage import Usage
from exporters.gpu.collection import Cost
from exporters.gpu.collector import Collector
from exporters.gpu.collectors import OPTIONAL_COLLECTORS, chosen
from exporters.gpu.devices.nvml import Nvml
from exporters.gpu.devices.simulated import SimulatedLibrary
from exporters.gpu.page import render
from exporters.gpu.simulator.gpu import Load
from exporters.gpu.simulator.machine import SimulatedMachine
from exporters.gpu.simulator.profiles import H200, PROFILES, RTX
from exporters.gpu.sweep import sweep
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
EXTRAS = tuple(name for name, _ in OPTIONAL_COLLECTORS)
OLDER_CARD = replace(RTX, name="a card that retires pages", unsupported_fields=RTX.unsupported_fields - {"RETIRED_*"})


class Page:
    """Two busy cards of one kind, read twice: some readings need an earlier one."""

    def __init__(self, profile, clock, extras=()):
        self.machine = SimulatedMachine(profile, 2, clock=clock)
        self._clock = clock
        self._extras = extras
        self._nvml = Nvml(SimulatedLibrary(self.machine), extras, clock=clock)
        self.machine.set_load(Load(requests_running=4, tokens_per_second=120, model_loaded=True))
        clock.now += 60
        self.collector = Collector(
            lambda skip: sweep(self._nvml, skip, clock=clock), wall=lambda: NOW, clock=clock, quarantine_seconds=10
        )
        self.collector.collect()
        clock.now += 5

    def render(self, form="text"):
        found = self.collector.collect()
        uuid = self.machine.observe(0).uuid
        usages = (Usage(uuid, "", "kubelet", "chat", "vllm-0", "engine"), Usage(uuid, "", "slurm", slurm_job="4711"))
        collection = replace(found, errors=ERRORS, cost=COST, usages=usages)
        return getattr(render("simulated", collection, chosen(self._extras), self._clock), form).decode()

    def close(self):
        self._nvml.close()


@pytest.fixture
def make(clock):
    pages = []

    def make(profile, extras=()):
        pages.append(Page(profile, clock, extras))
        return pages[-1]

    yield make
    for page in pages:
        page.close()


def check(found, file):
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / file).write_text(found)
    assert found == (GOLDEN / file).read_text()


@pytest.mark.parametrize("name", PROFILES)
def test_the_page_of_two_busy_cards_is_the_golden_one(make, name):
    check(make(PROFILES[name]).render(), f"{name}.prom")


def test_the_page_in_openmetrics_is_the_golden_one(make):
    check(make(H200).render("openmetrics"), "h200.openmetrics")


def test_the_page_of_a_broken_driver_is_the_golden_one(make):
    page = make(H200)
    page.machine.set_driver("mismatch")
    check(page.render(), "broken_driver.prom")


def test_the_page_of_cards_that_are_sick_and_that_came_back_is_the_golden_one(make, clock):
    page = make(H200)
    page.machine.change(1, {"state": "lost"})
    page.collector.collect()
    page.machine.change(1, {"state": None})
    page.machine.change(0, {"temperature_celsius": 95, "ecc_uncorrected": 2, "remap_pending": True})
    page.machine.change(1, {"nvlink_down": (3, 17), "throttle": ("hw_power_brake", "hw_slowdown"), "power_watts": 699})
    clock.now += 7
    check(page.render(), "sick.prom")


@pytest.mark.parametrize(("profile", "file"), [(H200, "h200-extras.prom"), (OLDER_CARD, "older-extras.prom")])
def test_the_page_with_every_optional_collector_is_the_golden_one(make, profile, file):
    check(make(profile, EXTRAS).render(), file)


def test_an_h200_has_at_most_160_series(make):
    series = Counter(
        sample.labels["uuid"]
        for family in text_string_to_metric_families(make(H200).render())
        for sample in family.samples
        if "uuid" in sample.labels
    )
    assert len(series) == 2
    assert max(series.values()) <= 160


@pytest.mark.parametrize("name", PROFILES)
def test_no_page_says_nan_or_carries_a_label_called_type(make, name):
    for family in text_string_to_metric_families(make(PROFILES[name], EXTRAS).render()):
        for sample in family.samples:
            assert sample.value == sample.value
            assert "type" not in sample.labels


def test_no_series_stands_on_a_page_twice(make):
    for profile in PROFILES.values():
        lines = [line for line in make(profile, EXTRAS).render().splitlines() if not line.startswith("#")]
        names = [line.rpartition(" ")[0] for line in lines]
        assert len(names) == len(set(names))
