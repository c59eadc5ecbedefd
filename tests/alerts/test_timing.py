"""The clock: what is refused, and what the compressed clock does to holds and waits."""

from dataclasses import replace

import pytest

from alerts.timing import duration, load


def test_the_default_clock_is_the_designs():
    timing = load()

    assert (timing.scrape_interval, timing.evaluation_interval) == (5, 5)
    assert (timing.root_group_wait, timing.symptom_group_wait, timing.group_interval) == (10, 45, 30)


def test_the_compressed_clock_divides_for_by_5_and_keeps_4_scrapes_in_a_window():
    timing = load().compressed()

    assert timing.pending(15) == 3
    assert timing.window(15) == 4
    assert timing.window(600) == 10


def test_the_relaxed_clock_takes_twice_as_long_in_everything():
    compressed, relaxed = load().at("compressed"), load().at("relaxed")

    for seconds in (15, 60, 600, 3600):
        assert relaxed.pending(seconds) == 2 * compressed.pending(seconds)
        assert relaxed.window(seconds) == 2 * compressed.window(seconds)
    assert (relaxed.scrape_interval, relaxed.symptom_group_wait, relaxed.resend_delay) == (2, 18, 6)
    assert load().at("real") == load()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scrape_interval": 0}, "scrape_interval must be a number of seconds above 0"),
        ({"evaluation_interval": "5s"}, "evaluation_interval must be a number of seconds above 0, got '5s'"),
        ({"scrape_timeout": 5}, "scrape_timeout must be below scrape_interval"),
        ({"probe_timeout": 9}, "probe_timeout must be below probe_interval"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_an_impossible_clock_is_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        replace(load(), **change)


def test_an_unknown_setting_is_refused_by_name(tmp_path):
    file = tmp_path / "timing.yaml"
    file.write_text("scrap_interval: 5\n")

    with pytest.raises(ValueError, match="scrap_interval"):
        load(file)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "900ms"), (1, "1s"), (60, "1m"), (79, "79s"), (90, "90s"), (3600, "1h"), (0, "0s")]
)
def test_a_duration_is_written_as_prometheus_reads_it(seconds, text):
    assert duration(seconds) == text
