"""Counting each error once, although two sources tell of it."""

import pytest

from exporters.gpu.xid.tally import OTHER, Sighting, Tally, pci_address

NVML, KERNEL = "00000000:18:00.0", "0000:18:00"


@pytest.fixture
def tally(clock):
    return Tally(clock)


def counts(tally):
    return {(one.place, one.code): one.count for one in tally.errors().xids}


@pytest.mark.parametrize("first", ["nvml", "kernel_log"])
def test_an_event_that_both_sources_tell_of_counts_once(tally, clock, first):
    second = {"nvml": "kernel_log", "kernel_log": "nvml"}[first]
    tally.xid(first, NVML, 79, at=1.0)
    clock.now += 9
    tally.xid(second, KERNEL, 79, at=2.0)
    assert tally.errors().xids == (Sighting("0000:18:00", "79", 1, 2.0),)


def test_two_events_that_both_sources_tell_of_count_twice(tally):
    for source in ("nvml", "kernel_log", "kernel_log", "nvml"):
        tally.xid(source, NVML, 31, at=1.0)
    assert counts(tally) == {("0000:18:00", "31"): 2}


def test_a_source_that_tells_twice_tells_of_two_events(tally):
    tally.xid("nvml", NVML, 31, at=1.0)
    tally.xid("nvml", NVML, 31, at=1.0)
    assert counts(tally) == {("0000:18:00", "31"): 2}


def test_what_the_other_source_tells_much_later_is_another_event(tally, clock):
    tally.xid("nvml", NVML, 31, at=1.0)
    clock.now += 11
    tally.xid("kernel_log", NVML, 31, at=12.0)
    assert counts(tally) == {("0000:18:00", "31"): 2}


def test_gpus_and_codes_do_not_explain_each_other(tally):
    tally.xid("nvml", NVML, 31, at=1.0)
    tally.xid("kernel_log", "0000:19:00", 31, at=1.0)
    tally.xid("kernel_log", NVML, 43, at=1.0)
    assert counts(tally) == {("0000:18:00", "31"): 1, ("0000:19:00", "31"): 1, ("0000:18:00", "43"): 1}


def test_history_has_a_time_and_no_count(tally):
    tally.history("xid", KERNEL, 79, at=5.0)
    tally.history("sxid", "nvidia-nvswitch0", 12028, at=6.0)
    found = tally.errors()
    assert found.xids == (Sighting("0000:18:00", "79", 0, 5.0),)
    assert found.sxids == (Sighting("nvidia-nvswitch0", "12028", 0, 6.0),)


def test_a_machine_that_reports_everything_fills_no_memory(tally):
    for code in range(1000):
        tally.sxid("nvidia-nvswitch0", code, at=1.0)
    found = tally.errors().sxids
    assert len(found) == 257
    assert sum(one.count for one in found) == 1000
    assert next(one.count for one in found if one.place == OTHER) == 744


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("00000000:18:00.0", "0000:18:00"),
        ("0000:18:00", "0000:18:00"),
        ("00010000:C1:00.0", "10000:c1:00"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_addresses_of_both_sources_have_one_spelling(text, address):
    assert pci_address(text) == address
