"""Erlang C against known values, and against what it must be by definition."""

import pytest

from alerts.erlang import mean_wait, most_arrivals, waiting


@pytest.mark.parametrize(
    ("servers", "load", "probability"),
    [(1, 0.5, 0.5), (2, 1, 1 / 3), (3, 2, 0.44444), (10, 8, 0.40918), (100, 90, 0.21694)],
)
def test_probability_to_wait_is_what_tables_say(servers, load, probability):
    assert waiting(servers, load) == pytest.approx(probability, abs=1e-5)


def test_one_server_waits_as_the_simple_queue_does():
    # M/M/1: load / (rate - arrivals).
    assert mean_wait(1, arrivals=9, rate=10) == pytest.approx(0.9)


def test_the_wait_at_the_most_arrivals_is_the_wait_that_is_allowed():
    arrivals = most_arrivals(5, rate=10, wait=0.2)

    assert mean_wait(5, arrivals, 10) == pytest.approx(0.2)
    assert mean_wait(5, arrivals * 1.01, 10) > 0.2


def test_many_servers_together_take_more_than_as_many_alone():
    assert most_arrivals(8, rate=10, wait=0.1) > 8 * most_arrivals(1, rate=10, wait=0.1)
