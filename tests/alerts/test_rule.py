"""What an Alert refuses, and how its bound is made up."""

from dataclasses import replace

import pytest

from alerts.rules import catalogue
from alerts.timing import load

TIMING = load()
ALERT = catalogue(TIMING)["GpuOverheating"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "gpu_hot"}, "not CamelCase"),
        ({"summary": " "}, "no summary"),
        ({"action": ""}, "no action"),
        ({"board": ""}, "a page needs a board"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_an_alert_nobody_could_act_upon_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(ALERT, **change)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        # scrape timeout 4, scrape 5, evaluation 5, for 15, notifier 1, group_wait 10, delivery 2
        ("EngineDown", 42),
        # scrape 5, window 15, two evaluations 10, for 10, notifier 1, group_wait 10, delivery 2
        ("EngineHung", 53),
        # collection 5, scrape 5, evaluation 5, for 15, notifier 1, group_wait 10, delivery 2
        ("GpuOverheating", 43),
        # probe 5 and its timeout 4, scrape 5, evaluation 5, for 15, notifier 1, group_wait 45, delivery 2
        ("ServiceDown", 82),
    ],
)
def test_the_bound_adds_up_every_step_from_fault_to_message(name, seconds):
    assert catalogue(TIMING)[name].bound(TIMING) == seconds
