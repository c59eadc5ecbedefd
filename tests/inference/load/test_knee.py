"""The search for the knee, on services whose knee is known."""

import asyncio

import pytest

from inference.load.knee import find_knee
from inference.load.results import Results


def search(capacity: float, first_rate: float, *, breaks: bool = False) -> tuple[float | None, list[str]]:
    """Look for the knee of a service that takes `capacity` requests a second."""
    shown: list[str] = []

    async def attempt(rate: float) -> Results:
        late = rate > capacity
        results = Results(finished=0.0, started=-10.0, sent=100, ok=100)
        results.first_token.extend([2.0 if late and not breaks else 0.1] * 100)
        if late and breaks:
            results.errors["HTTP 429"] += 5
        return results

    return asyncio.run(find_knee(attempt, first_rate, 0.5, shown.append)), shown


@pytest.mark.parametrize("breaks", [False, True], ids=["late answers", "errors"])
def test_the_knee_is_found_to_a_tenth(breaks):
    knee, shown = search(10.0, 2.0, breaks=breaks)
    assert 9.0 <= knee <= 10.0
    assert shown[0].endswith("  holds")
    assert sum(line.endswith("does not hold") for line in shown) >= 1


def test_a_service_that_is_overloaded_from_the_start_has_no_knee():
    assert search(1.0, 2.0)[0] is None
