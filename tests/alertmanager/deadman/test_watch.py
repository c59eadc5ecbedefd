"""When the dead man's switch pages, on a clock of the test's own."""

import pytest

from alertmanager.deadman.watch import Change, Watch
from alertmanager.deadman.words import duration


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    return Watch(timeout=45, clock=clock, wall=lambda: 5000 + clock.now)


def test_a_steady_heartbeat_keeps_it_quiet(watch: Watch, clock: Clock) -> None:
    for _ in range(20):
        watch.beat()
        clock.now += 45
        assert watch.check() is None
    assert watch.pages == 0


def test_a_lost_heartbeat_pages_once(watch: Watch, clock: Clock) -> None:
    watch.beat()
    clock.now += 45.5
    assert watch.check() == Change(blind=True, silent_for=45.5, last_beat=6000)
    clock.now += 1000
    assert watch.check() is None
    assert (watch.blind, watch.pages) == (True, 1)


def test_a_heartbeat_that_returns_resolves_once(watch: Watch, clock: Clock) -> None:
    watch.beat()
    clock.now += 60
    watch.check()
    watch.beat()
    watch.beat()
    assert watch.check() == Change(blind=False, silent_for=60, last_beat=6000)
    assert watch.check() is None
    assert not watch.blind


def test_a_stack_that_starts_has_two_timeouts_for_its_first_heartbeat(watch: Watch, clock: Clock) -> None:
    clock.now += 90
    assert watch.check() is None
    assert watch.last_beat is None


def test_a_stack_that_never_comes_up_pages(watch: Watch, clock: Clock) -> None:
    clock.now += 90.5
    assert watch.check() == Change(blind=True, silent_for=90.5, last_beat=None)


def test_a_late_beat_between_two_checks_changes_nothing(watch: Watch, clock: Clock) -> None:
    watch.beat()
    clock.now += 50
    watch.beat()
    assert watch.check() is None


def test_it_pages_again_after_a_recovery(watch: Watch, clock: Clock) -> None:
    watch.beat()
    for _ in range(2):
        clock.now += 46
        change = watch.check()
        assert change is not None
        assert change.blind
        watch.beat()
        watch.check()
    assert watch.pages == 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0s"), (59.9, "59s"), (60, "1m"), (599, "9m"), (3600, "1h"), (7500, "2h5m")]
)
def test_durations_read_as_in_the_other_messages(seconds: float, words: str) -> None:
    assert duration(seconds) == words
