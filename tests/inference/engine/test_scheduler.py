"""The queue and the rows of the batch, whatever the order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.generation import Generation, Prompt, Timeline
from inference.engine.scheduler import Move, QueueClosedError, QueueFullError, Scheduler
from inference.engine.tokenizers import ByteTokenizer


def generation() -> Generation:
    return Generation(Prompt((1,), 1), Timeline(0.0), ByteTokenizer().decoder())


def test_whoever_comes_first_is_served_first():
    scheduler = Scheduler(slots=2, queue_limit=2)
    first, second, third = generation(), generation(), generation()
    for one in (first, second, third):
        scheduler.enqueue(one)
    assert scheduler.admit() == (0, first)
    assert scheduler.admit() == (1, second)
    assert scheduler.admit() is None
    assert scheduler.retire(first) == Move(source=1, target=0)
    assert scheduler.admit() == (1, third)
    assert scheduler.rows == (second, third)


def test_the_queue_limit_counts_only_those_who_find_no_slot():
    scheduler = Scheduler(slots=2, queue_limit=1)
    for _ in range(3):
        scheduler.enqueue(generation())
    with pytest.raises(QueueFullError):
        scheduler.enqueue(generation())


def test_a_cancelled_request_leaves_the_queue_at_once_and_the_batch_at_its_next_step():
    scheduler = Scheduler(slots=1, queue_limit=1)
    running, waiting = generation(), generation()
    scheduler.enqueue(running)
    scheduler.admit()
    scheduler.enqueue(waiting)
    scheduler.cancel(waiting)
    scheduler.cancel(running)
    assert scheduler.waiting == 0
    assert scheduler.rows == (running,)
    assert running.cancelled


def test_nobody_enters_after_the_end():
    scheduler = Scheduler(slots=1, queue_limit=1)
    running, waiting = generation(), generation()
    scheduler.enqueue(running)
    scheduler.admit()
    scheduler.enqueue(waiting)
    assert scheduler.close() == [running, waiting]
    with pytest.raises(QueueClosedError):
        scheduler.enqueue(generation())


@given(st.lists(st.tuples(st.sampled_from(["enqueue", "admit", "retire", "cancel"]), st.integers(0, 9)), max_size=80))
def test_no_slot_leaks_and_every_move_keeps_the_cache_in_step(actions):
    scheduler = Scheduler(slots=3, queue_limit=4)
    cache: dict[int, Generation] = {}
    queue: list[Generation] = []
    for action, pick in actions:
        if action == "enqueue":
            one = generation()
            try:
                scheduler.enqueue(one)
                queue.append(one)
            except QueueFullError:
                assert len(queue) + len(cache) == 7
        elif action == "admit" and (admitted := scheduler.admit()):
            row, one = admitted
            assert one is queue.pop(0)
            assert row not in cache
            cache[row] = one
        elif action == "retire" and cache:
            row = sorted(cache)[pick % len(cache)]
            move = scheduler.retire(cache[row])
            del cache[row]
            if move:
                cache[move.target] = cache.pop(move.source)
        elif action == "cancel" and queue:
            scheduler.cancel(queue.pop(pick % len(queue)))
        assert scheduler.rows == tuple(cache[row] for row in range(len(cache)))
        assert scheduler.waiting == len(queue)
