"""`inferwatch rules load`: expected pages a week, against sums done by hand."""

import pytest

from alerts.load import RATES, Fleet, at_least, expected, explain
from alerts.rules import catalogue
from alerts.timing import load as load_timing
from compose.cli import main


def test_the_published_fleet_gets_the_published_failures_back():
    """16,384 GPUs for 54 of 7 days each."""
    load = expected(Fleet(gpus=16_384, hosts=2_048, engines=16_384, services=1))
    weeks = 54 / 7

    assert [round(weekly * weeks, 6) for _, weekly in load.failures] == [148, 72, 19, 17, 2, 35]


def test_without_a_spare_replica_every_failure_of_an_engine_is_a_page():
    # 8 GPUs: (148 + 72 + 19 + 17) x 8 / 126,390.86 = 0.0162037; host: 2 x 1 / 15,798.857 = 0.0001266.
    load = expected(Fleet(gpus=8, hosts=1, engines=1, services=1))

    assert load.short == 1
    assert load.pages == pytest.approx(0.0163303, abs=1e-7)
    # Switch and cable: 35 / 15,798.857.
    assert load.tickets == pytest.approx(0.0022153, abs=1e-7)


def test_with_one_spare_replica_only_a_second_failure_during_a_repair_pages():
    # 1,000 GPUs on 125 hosts, 125 engines in 25 services.
    # 2.0254630 + 0.0158239 = 2.0412869 a week; / 25 x 4 / 168 = 0.0019441 down at a time.
    load = expected(Fleet(gpus=1_000, hosts=125, engines=125, services=25, spare=1, repair_hours=4))

    assert load.broken == pytest.approx(2.0412869, abs=1e-6)
    assert load.down == pytest.approx(0.0019441, abs=1e-7)
    # 1 - e^-0.0019441 = 0.0019422
    assert load.pages == pytest.approx(2.0412869 * 0.0019422, abs=1e-6)


@pytest.mark.parametrize(
    ("number", "mean", "probability"),
    [
        (0, 0.5, 1),
        (1, 0.5, 0.393469),  # 1 - e^-0.5
        (2, 0.5, 0.090204),  # 1 - 1.5 e^-0.5
        (3, 2.0, 0.323324),  # 1 - 5 e^-2
    ],
)
def test_probabilities_are_poissons(number, mean, probability):
    assert at_least(number, mean) == pytest.approx(probability, abs=1e-6)


def test_the_arithmetic_is_shown_with_its_source():
    text = explain(Fleet(gpus=8, hosts=1, engines=1, services=1))

    assert "8 gpus x 148 / 126,391 gpu-weeks" in text
    assert "1 host x 2 / 15,799 host-weeks" in text
    assert "pages a week:   0.0163 x 1.000000 = 0.0163" in text
    assert "Meta's Llama 3 report" in text


def test_every_alert_that_it_names_exists():
    named = {name for rate in RATES for name in rate.alerts.replace(" (119, 120)", "").split(", ")}
    assert named <= set(catalogue(load_timing()))


def test_the_command_prints_it(capsys):
    assert main(["rules", "load", "--gpus", "8", "--hosts", "1", "--engines", "1", "--services", "1"]) == 0
    assert "pages a week:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--services", "0"], "--services must be 1 or more"),
        (["--services", "3"], "--engines at least as many"),
        (["--gpus", "-1"], "--gpus must not be negative"),
        (["--spare", "2"], "a service has only 2 replicas"),
        (["--repair-hours", "0"], "--repair-hours must be above 0"),
    ],
)
def test_a_fleet_that_cannot_be_is_a_usage_error(arguments, words, capsys):
    fleet = ["--gpus", "8", "--hosts", "1", "--engines", "2", "--services", "1"]

    assert main(["rules", "load", *fleet, *arguments]) == 2
    assert words in capsys.readouterr().err
