"""What a plan sends: the same for a seed, as often and as long as was asked for."""

import itertools
import random
import statistics

import pytest

from inference.load.plan import Lengths, Plan, arrivals, lengths


def plan(**different) -> Plan:
    settings = {"rate": 50.0, "duration": 60.0, "prompt_words": Lengths("fixed", 3), "max_tokens": Lengths("fixed", 8)}
    return Plan(**settings | {"seed": 1} | different)


def test_a_seed_repeats_arrivals_prompts_and_lengths():
    mixed = {"prompt_words": lengths("uniform:1:9"), "max_tokens": lengths("lognormal:20:0.5")}
    assert list(arrivals(plan(**mixed))) == list(arrivals(plan(**mixed)))
    assert list(arrivals(plan(**mixed))) != list(arrivals(plan(**mixed, seed=2)))


def test_arrivals_are_a_poisson_process_of_the_rate():
    dues = [arrival.due for arrival in arrivals(plan(duration=200))]
    gaps = [later - earlier for earlier, later in itertools.pairwise(dues)]
    assert len(dues) == pytest.approx(10_000, rel=0.05)
    # Of an exponential distribution the deviation equals the mean; a steady clock would have none.
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)


def test_the_demo_has_waves_with_a_burst_on_each_crest():
    dues = [arrival.due for arrival in arrivals(plan(pattern="demo", duration=240))]
    counts = [sum(begin <= due < begin + 10 for due in dues) for begin in (0, 25, 55, 115, 175)]
    assert counts == pytest.approx([115, 480, 1500, 115, 1500], rel=0.25)


@pytest.mark.parametrize(
    ("text", "mean"),
    [("16", 16), ("uniform:4:64", 34), ("exponential:30", 30), ("lognormal:64:0.5", 72.5)],
)
def test_lengths_follow_their_distribution(text, mean):
    chance = random.Random(3)
    drawn = [lengths(text).draw(chance) for _ in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(mean, rel=0.05)
    assert min(drawn) >= 1


@pytest.mark.parametrize("text", ["", "-3", "uniform:4", "pareto:3:4", "exponential:x", "inf", "uniform:64:4"])
def test_other_words_for_lengths_are_refused(text):
    with pytest.raises(ValueError, match="must be a length"):
        lengths(text)
