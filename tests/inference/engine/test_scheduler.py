"""The queue and the rows of the batch, whatever the order of events."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.engine.generation import Generation, Prompt, Timeline
from inference.engine.scheduler import Move, QueueClosedError, QueueFullError, Scheduler
from inference.engine.tokenizers import ByteTokenizer


def generation(length: int = 1) -> Generation:
    return Generation(Prompt((1,) * length, 100), Timeline(0.0), ByteTokenizer().decoder())


def scheduler(slots: int, queue_limit: int, kv_tokens: int = 10_000) -> Scheduler:
    opened = Scheduler(slots, queue_limit)
    opened.open(kv_tokens)
    return opened


def admit_and_read(waiting: Scheduler) -> Generation:
    """Admit somebody and read all of it, as the engine does before its next step."""
    admitted = waiting.admit()
    assert admitted
    admitted.cached, admitted.reading = admitted.length, False
    return admitted


def test_whoever_comes_first_is_served_first():
    line = scheduler(slots=2, queue_limit=2)
    first, second, third = generation(), generation(), generation()
    for one in (first, second, third):
        line.enqueue(one)
    assert admit_and_read(line) is first
    assert admit_and_read(line) is second
    assert line.admit() is None
    assert line.retire(first) == [Move(source=1, target=0)]
    assert line.admit() is third
    assert line.rows == (second, third)


def test_one_prompt_is_read_at_a_time_and_stays_behind_those_who_decode():
    line = scheduler(slots=4, queue_limit=0)
    first, second, third, fourth = (generation() for _ in range(4))
    for one in (first, second, third, fourth):
        line.enqueue(one)
    admit_and_read(line)
    admit_and_read(line)
    assert line.admit() is third
    assert line.admit() is None
    assert line.retire(first) == [Move(source=1, target=0), Move(source=2, target=1)]
    assert line.rows == (second, third)
    assert line.retire(second) == [Move(source=1, target=0)]
    assert line.retire(third) == []


def test_the_queue_limit_counts_only_those_who_find_no_slot():
    line = scheduler(slots=2, queue_limit=1)
    for _ in range(3):
        line.enqueue(generation())
    with pytest.raises(QueueFullError):
        line.enqueue(generation())


def test_a_cancelled_request_leaves_the_queue_at_once_and_the_batch_at_its_next_step():
    line = scheduler(slots=1, queue_limit=1)
    running, waiting = generation(), generation()
    line.enqueue(running)
    line.admit()
    line.enqueue(waiting)
    line.cancel(waiting)
    line.cancel(running)
    assert line.waiting == 0
    assert line.rows == (running,)
    assert running.cancelled


def test_nobody_enters_before_the_beginning_or_after_the_end():
    line = Scheduler(slots=1, queue_limit=1)
    running, waiting = generation(), generation()
    with pytest.raises(QueueClosedError):
        line.enqueue(running)
    line.open(100)
    line.enqueue(running)
    line.admit()
    line.enqueue(waiting)
    assert line.close() == [running, waiting]
    with pytest.raises(QueueClosedError):
        line.enqueue(generation())


def test_whoever_does_not_fit_into_the_cache_waits_and_nobody_passes():
    line = scheduler(slots=4, queue_limit=0, kv_tokens=100)
    long, longer, short = generation(60), generation(40), generation(1)
    for one in (long, longer, short):
        line.enqueue(one)
    assert admit_and_read(line) is long
    assert line.admit() is None
    assert line.waiting == 2
    line.retire(long)
    assert admit_and_read(line) is longer
    assert line.admit() is short


def test_when_the_cache_is_full_whoever_came_last_goes_back_to_the_front_of_the_queue():
    line = scheduler(slots=3, queue_limit=3, kv_tokens=60)
    old, young, waiting = generation(20), generation(20), generation(30)
    for one in (old, young, waiting):
        line.enqueue(one)
    admit_and_read(line)
    admit_and_read(line)
    assert line.preempt() is None
    old.tokens += [1] * 15
    young.tokens += [1] * 6
    assert line.kv_used_tokens == 40
    assert line.preempt() == (young, [])
    assert line.rows == (old,)
    assert line.preempt() is None
    young.forget_cache()
    line.retire(old)
    assert line.admit() is young


class Line(RuleBasedStateMachine):
    """Any order of events: no slot and no request is lost, nobody passes anybody, the cache follows its rows."""

    @initialize(slots=st.integers(1, 4), queue_limit=st.integers(1, 4), kv_tokens=st.integers(40, 80))
    def begin(self, slots: int, queue_limit: int, kv_tokens: int) -> None:
        self.slots, self.queue_limit, self.kv_tokens = slots, queue_limit, kv_tokens
        self.line = scheduler(slots, queue_limit, kv_tokens)
        self.cache: dict[int, Generation] = {}
        self.queue: list[Generation] = []
        self.came: list[Generation] = []

    @rule(length=st.integers(1, 40))
    def enqueue(self, length: int) -> None:
        one = generation(length)
        if len(self.queue) + len(self.cache) == self.slots + self.queue_limit:
            with pytest.raises(QueueFullError):
                self.line.enqueue(one)
        else:
            self.line.enqueue(one)
            self.queue.append(one)
            self.came.append(one)

    @rule()
    def admit(self) -> None:
        reading = any(one.reading for one in self.cache.values())
        admitted = self.line.admit()
        if admitted:
            assert not reading
            assert admitted is self.queue.pop(0)
            assert len(self.cache) < self.slots
            self.cache[len(self.cache)] = admitted
        else:
            # Whoever is first starves only behind others: an empty batch takes anybody.
            assert self.cache or not self.queue

    @precondition(lambda self: self.cache)
    @rule()
    def read(self) -> None:
        last = self.cache[len(self.cache) - 1]
        last.cached, last.reading = last.length, False

    @rule()
    def decode(self) -> None:
        for one in self.cache.values():
            if not one.reading and one.length < 40:
                one.cached = one.length
                one.tokens.append(1)

    @rule()
    def make_room(self) -> None:
        while preempted := self.line.preempt():
            victim, moves = preempted
            assert victim is max(self.cache.values(), key=self.came.index)
            self._leave(victim, moves)
            victim.forget_cache()
            self.queue.insert(0, victim)
        assert len(self.cache) < 2 or sum(one.length for one in self.cache.values()) <= self.kv_tokens

    @precondition(lambda self: self.cache)
    @rule(pick=st.integers(0, 3))
    def retire(self, pick: int) -> None:
        one = self.cache[pick % len(self.cache)]
        self._leave(one, self.line.retire(one))

    @precondition(lambda self: self.queue)
    @rule(pick=st.integers(0, 7))
    def cancel(self, pick: int) -> None:
        self.line.cancel(self.queue.pop(pick % len(self.queue)))

    def _leave(self, one: Generation, moves: list[Move]) -> None:
        free = next(row for row, other in self.cache.items() if other is one)
        del self.cache[free]
        for move in moves:
            assert move.target == free
            self.cache[move.target] = self.cache.pop(move.source)
            free = move.source

    @invariant()
    def agrees(self) -> None:
        rows = tuple(self.cache[row] for row in range(len(self.cache)))
        assert self.line.rows == rows
        assert self.line.waiting == len(self.queue)
        assert not any(one.reading for one in rows[:-1])
        assert sorted(map(self.came.index, self.queue)) == [self.came.index(one) for one in self.queue]


TestAnyOrderOfEvents = Line.TestCase
