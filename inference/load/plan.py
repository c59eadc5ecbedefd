"""What to send and when: all of it follows from a seed, so that a run can be repeated."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

_WORDS = ("storm", "river", "lamp", "seven", "quiet", "market", "copper", "window", "orchard", "signal")
_WAVE_SECONDS = 120.0
_BURST_SECONDS = 10.0
_BURST = 3.0

Pattern = Literal["constant", "demo"]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long prompts or answers are, and how they differ. At least 1."""

    kind: Literal["fixed", "uniform", "exponential", "lognormal"]
    first: float
    """The length; the least one; the mean; or the median."""
    second: float = 0.0
    """The greatest length of a uniform distribution; the standard deviation of a lognormal one's logarithm."""

    def draw(self, chance: random.Random) -> int:
        """One length."""
        draws: dict[str, Callable[[], float]] = {
            "fixed": lambda: self.first,
            "uniform": lambda: chance.uniform(self.first, self.second),
            "exponential": lambda: chance.expovariate(1 / self.first),
            "lognormal": lambda: chance.lognormvariate(math.log(self.first), self.second),
        }
        return max(1, round(draws[self.kind]()))


def lengths(text: str) -> Lengths:
    """Read `16`, `uniform:4:64`, `exponential:32` or `lognormal:64:0.8`.

    Raises:
        ValueError: It is none of these.
    """
    kind, *numbers = text.split(":") if ":" in text else ("fixed", text)
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    expected = {"fixed": 1, "uniform": 2, "exponential": 1, "lognormal": 2}
    if (
        expected.get(kind) != len(values)
        or not all(0 < value < math.inf for value in values)
        or (kind == "uniform" and values[0] > values[1])
    ):
        raise ValueError("must be a length, uniform:LEAST:MOST, exponential:MEAN or lognormal:MEDIAN:SIGMA")
    return Lengths(kind, *values)  # type: ignore[arg-type]  # one of the four, by the line above


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    rate: float
    """Requests a second, on average; arrivals are a Poisson process."""
    duration: float
    """Seconds in which requests are started; infinity for no end."""
    prompt_words: Lengths
    max_tokens: Lengths
    seed: int
    pattern: Pattern = "constant"

    def rate_at(self, second: float) -> float:
        """The rate at a moment of the run: in the demo pattern, waves of two minutes with a burst on each crest."""
        if self.pattern == "constant":
            return self.rate
        phase = second % _WAVE_SECONDS
        if abs(phase - _WAVE_SECONDS / 2) < _BURST_SECONDS / 2:
            return _BURST * self.rate
        return self.rate * (1 - 0.8 * math.cos(2 * math.pi * phase / _WAVE_SECONDS))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to be sent."""

    due: float
    """Seconds after the start of the run."""
    prompt: str
    max_tokens: int


def arrivals(plan: Plan) -> Iterator[Arrival]:
    """The requests of a run, in order."""
    chance = random.Random(plan.seed)  # noqa: S311 - nothing secret
    greatest = plan.rate if plan.pattern == "constant" else _BURST * plan.rate
    due = 0.0
    while (due := due + chance.expovariate(greatest)) < plan.duration:
        # Thinned: of arrivals at the greatest rate as many are kept as the rate of the moment wants.
        if chance.random() * greatest < plan.rate_at(due):
            prompt = " ".join(chance.choices(_WORDS, k=plan.prompt_words.draw(chance)))
            yield Arrival(due, prompt, plan.max_tokens.draw(chance))
