"""What a failure inside the engine costs: one request its answer, or the engine a life, and nobody waits for ever."""

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
import torch

from inference.engine.disturbances import Disturbances, Undisturbed
from inference.engine.engine import Engine, EngineUnavailableError, Limits, Phase, UnservableError
from inference.engine.generation import Failed, Finished, GapReason, Generation, Prompt, Timeline
from inference.engine.models import LoadedModel
from inference.engine.tokenizers import ByteTokenizer


class Scripted:
    """Stands in for the model: always says `a`, one step a millisecond.

    Prompts with `!` fail when they are read, with `?` when they decode, `%` answers with NaN, `#` with logits that
    divided by a small temperature are infinite. `dead` fails everything.
    """

    context_length = 64
    vocabulary_size = 258
    piece_tokens = 8
    device_memory_used_bytes = None
    dead = False

    def __init__(self) -> None:
        self.slots: dict[int, list[int]] = {}
        self.reads: list[int] = []

    def prefill(self, row: int, tokens: list[int], start: int = 0) -> torch.Tensor:
        self._step()
        if ord("!") in tokens:
            raise RuntimeError("a bad prompt")
        assert start == (len(self.slots[row]) if start else 0)
        self.slots[row] = [*self.slots.get(row, [])[:start], *tokens]
        self.reads.append(len(tokens))
        return self._logits([row])[0]

    def decode(self, tokens: list[int], lengths: list[int], first_row: int = 0) -> torch.Tensor:
        self._step()
        rows = range(first_row, first_row + len(tokens))
        if any(ord("?") in self.slots[row] for row in rows):
            raise torch.OutOfMemoryError("a bad sequence")
        for row, token, length in zip(rows, tokens, lengths, strict=True):
            assert len(self.slots[row]) == length
            self.slots[row].append(token)
        return self._logits(rows)

    def move(self, source: int, target: int, length: int) -> None:
        self.slots[target] = self.slots[source][:length]

    def prove_alive(self) -> None:
        self._step()

    def _step(self) -> None:
        if self.dead:
            raise RuntimeError("the device is gone")
        time.sleep(0.001)

    def _logits(self, rows: "range | list[int]") -> torch.Tensor:
        logits = torch.zeros(len(rows), self.vocabulary_size)
        logits[:, ord("a")] = 1
        for number, row in enumerate(rows):
            if ord("%") in self.slots[row]:
                logits[number, 7] = torch.nan
            if ord("#") in self.slots[row]:
                logits[number] *= 3e38
        return logits


class Turnstile(Undisturbed):
    """Lets the engine turn as it likes, or once for each time that it is told to."""

    def __init__(self) -> None:
        self._free = True
        self._turns = threading.Semaphore(0)

    def turning(self, *, busy: bool) -> None:
        if not self._free:
            self._turns.acquire()

    def close(self) -> None:
        self._free = False

    def let_one_pass(self) -> None:
        self._turns.release()

    def open(self) -> None:
        self._free = True
        self.let_one_pass()


def model(runner: Scripted) -> LoadedModel:
    return LoadedModel(runner, ByteTokenizer(), frozenset(), "fp_scripted")


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, "the expected state did not come in time"
        await asyncio.sleep(0.005)


def with_engine(
    scenario: Callable[[Engine], Awaitable[object]],
    runner: Scripted | None = None,
    disturbances: Disturbances | None = None,
    **limits: object,
):
    """Run a scenario on a serving engine; what it returns."""

    async def run():
        limited = Limits(4, 40, **limits)
        engine = Engine(lambda: model(runner or Scripted()), limited, disturbances or Undisturbed(), lambda: None)
        engine.start()
        await until(lambda: engine.snapshot().phase is Phase.SERVING)
        try:
            return await scenario(engine)
        finally:
            assert engine.stop(5)

    return asyncio.run(run())


def submit(engine: Engine, text: bytes, max_tokens: int = 20) -> Generation:
    return engine.submit(Prompt(tuple(text), max_tokens, temperature=0), Timeline(time.monotonic()))


async def last_event(engine: Engine, generation: Generation) -> Finished | Failed:
    while not isinstance(event := await generation.next(), Finished | Failed):
        pass
    engine.cancel(generation)
    return event


async def answers(engine: Engine, *texts: bytes) -> list[Finished | Failed]:
    return await asyncio.gather(*(last_event(engine, submit(engine, text)) for text in texts))


@pytest.mark.parametrize(
    ("bad", "failure"),
    [
        (b"bad!", Failed("internal_error", "the request could not be processed")),
        (b"bad?", Failed("oom", "not enough memory for this request")),
        (b"bad%", Failed("internal_error", "the model gave no usable probabilities")),
    ],
    ids=["at its prompt", "in a step of all", "NaN"],
)
def test_a_request_that_fails_fails_alone(bad, failure):
    first, failed, last = with_engine(lambda engine: answers(engine, b"one", bad, b"two"))
    assert isinstance(first, Finished)
    assert isinstance(last, Finished)
    assert failed == failure


def test_a_request_whose_token_cannot_be_drawn_fails_alone_and_the_others_get_what_they_would_alone():
    good = [Prompt(b"one", 12, temperature=0.2, seed=4), Prompt(b"two", 20, temperature=0)]
    bad = Prompt(b"bad#", 20, temperature=0.01, seed=4)

    async def scenario(engine: Engine, *prompts: Prompt):
        generations = [engine.submit(prompt, Timeline(time.monotonic())) for prompt in prompts]
        events = [await last_event(engine, one) for one in generations]
        return [(event, one.tokens) for event, one in zip(events, generations, strict=True)]

    alone = [with_engine(lambda engine, prompt=prompt: scenario(engine, prompt))[0] for prompt in good]
    first, (failure, drawn), last = with_engine(lambda engine: scenario(engine, good[0], bad, good[1]))
    assert [first, last] == alone
    assert [len(tokens) for _, tokens in alone] == [12, 20]
    assert (failure, drawn) == (Failed("internal_error", "the model gave no usable probabilities"), [])


@pytest.mark.parametrize("prompt", [(), (258,), (-1,), (1,) * 60], ids=["empty", "unknown", "negative", "too long"])
def test_what_can_never_be_served_is_refused_before_it_is_queued(prompt):
    async def scenario(engine: Engine):
        with pytest.raises(UnservableError):
            engine.submit(Prompt(prompt, 5), Timeline(0.0))
        return await answers(engine, b"one")

    assert isinstance(with_engine(scenario)[0], Finished)


def test_a_dead_engine_ends_every_answer_refuses_at_once_and_starts_again():
    runner = Scripted()

    async def scenario(engine: Engine):
        running = [submit(engine, b"x") for _ in range(6)]
        runner.dead = True
        events = [await last_event(engine, one) for one in running]
        with pytest.raises(EngineUnavailableError) as refusal:
            submit(engine, b"x")
        dead = engine.snapshot()
        runner.dead = False
        await until(lambda: engine.snapshot().phase is Phase.SERVING)
        return events, str(refusal.value), dead, await answers(engine, b"x"), engine.snapshot()

    events, refused, dead, after, snapshot = with_engine(scenario, runner, restart_seconds=(1,))
    reason = "the engine died; it starts again in 1 s"
    assert events == [Failed("engine_dead", reason)] * 6
    assert refused == reason
    assert (dead.phase, dead.running, dead.waiting, dead.kv_capacity_tokens) == (Phase.DEAD, 0, 0, 0)
    assert isinstance(after[0], Finished)
    assert (snapshot.restarts, snapshot.kv_capacity_tokens) == (1, 256)


def test_an_engine_that_keeps_dying_gives_up_and_tells_the_process():
    gave_up, loads = [], itertools.count()

    async def run():
        runner = Scripted()
        runner.dead = True
        engine = Engine(
            lambda: [next(loads), model(runner)][1],
            Limits(4, 4, restart_seconds=(0.01, 0.01)),
            Undisturbed(),
            lambda: gave_up.append(True),
        )
        engine.start()
        while not gave_up:
            if engine.snapshot().phase is Phase.SERVING and not engine.snapshot().waiting:
                submit(engine, b"x")
            await asyncio.sleep(0.005)
        engine.stop(5)
        return engine.snapshot()

    snapshot = asyncio.run(run())
    assert next(loads) == 3
    assert (snapshot.phase, snapshot.reason) == (Phase.DEAD, "the engine died; it does not come back by itself")


def test_a_model_that_cannot_be_loaded_is_told_to_the_process_at_once():
    gave_up = []

    def load() -> LoadedModel:
        raise OSError("no such model")

    async def run():
        engine = Engine(load, Limits(4, 4), Undisturbed(), lambda: gave_up.append(True))
        engine.start()
        await until(lambda: bool(gave_up))
        engine.stop(5)
        return engine.snapshot()

    snapshot = asyncio.run(run())
    expected = "the model could not be loaded: no such model; it does not come back by itself"
    assert (snapshot.phase, snapshot.reason) == (Phase.DEAD, expected)


def endless() -> Scripted:
    """A model whose answers may take seconds."""
    runner = Scripted()
    runner.context_length = 10_000
    return runner


def test_who_waits_too_long_fails_while_those_in_the_batch_go_on():
    async def scenario(engine: Engine):
        running = [submit(engine, b"x", 9_000) for _ in range(4)]
        await until(lambda: engine.snapshot().running == 4)
        waiting = submit(engine, b"x")
        event = await last_event(engine, waiting)
        tokens = [len(one.tokens) for one in running]
        await until(lambda: all(len(one.tokens) > before for one, before in zip(running, tokens, strict=True)))
        return event, waiting.timeline.admitted, [one.ended for one in running]

    event, admitted, ended = with_engine(scenario, endless(), queue_seconds=0.5)
    assert event == Failed("timeout_queue", "no place became free in time; try again later")
    assert admitted is None
    assert ended == [False] * 4


def test_an_answer_that_takes_too_long_is_broken_off_and_its_slot_is_free():
    async def scenario(engine: Engine):
        event = await last_event(engine, submit(engine, b"x", 9_000))
        await until(lambda: engine.snapshot().running == 0)
        return event

    event = with_engine(scenario, endless(), request_seconds=0.5)
    assert event == Failed("timeout_decode", "the answer took too long and was broken off")


def test_timeouts_also_ring_while_the_engine_hangs():
    turnstile = Turnstile()

    async def scenario(engine: Engine):
        turnstile.close()
        event = await asyncio.wait_for(last_event(engine, submit(engine, b"x")), 2)
        turnstile.open()
        return event

    event = with_engine(scenario, disturbances=turnstile, queue_seconds=0.05)
    assert event == Failed("timeout_queue", "no place became free in time; try again later")


def test_a_cancelled_answer_frees_its_slot_for_the_next_turn():
    turnstile = Turnstile()

    async def scenario(engine: Engine):
        running = [submit(engine, b"x", 9_000) for _ in range(4)]
        await until(lambda: engine.snapshot().running == 4)
        turnstile.close()
        engine.cancel(running[1])
        waiting = submit(engine, b"x", 1)
        turnstile.let_one_pass()
        event = await asyncio.wait_for(last_event(engine, waiting), 5)
        running_then = engine.snapshot().running
        turnstile.open()
        return event, running_then

    event, running = with_engine(scenario, endless(), turnstile)
    assert isinstance(event, Finished)
    assert running == 3


def test_a_long_prompt_is_read_in_pieces_between_the_steps_of_others():
    runner = endless()

    async def scenario(engine: Engine):
        beside = submit(engine, b"x", 9_000)
        await beside.next()
        long = submit(engine, b"y" * 1600, 1)
        event = await last_event(engine, long)
        return event, beside.timeline.tokens, long.timeline

    event, beside, long = with_engine(scenario, runner)
    assert isinstance(event, Finished)
    assert set(runner.reads[1:]) == {8}
    # The prompt takes 200 pieces of at least a millisecond, of which at most 20 come between two steps.
    assert sum(long.admitted < token < long.tokens[0] for token in beside) >= 8


def test_the_cache_is_shared_by_preempting_and_answers_stay_the_same():
    async def scenario(engine: Engine):
        some = [submit(engine, b"p" * 10, 40) for _ in range(4)]
        used = []
        for one in some:
            assert isinstance(await last_event(engine, one), Finished)
            used.append(engine.snapshot().kv_used_tokens)
        return [one.tokens for one in some], [one.timeline for one in some], engine.snapshot(), max(used)

    tokens, timelines, snapshot, used = with_engine(scenario, kv_tokens=100)
    assert tokens == [[ord("a")] * 40] * 4
    assert snapshot.preemptions == sum(timeline.preemptions for timeline in timelines) > 0
    assert timelines[0].preemptions == 0
    assert snapshot.kv_capacity_tokens == 100
    assert used <= 100
    assert snapshot.prompt_tokens == 40
    assert snapshot.generated_tokens == 160


def test_the_longest_gap_is_kept_with_what_most_of_it_was_spent_on():
    timeline = Timeline(arrived=1.0)
    reasons = {3.0: GapReason.PREFILL, 3.5: GapReason.GC, 5.0: GapReason.DECODE}
    for now in (3.0, 3.5, 5.0, 5.5):
        timeline.token_came(now, 2, reasons.__getitem__)
    assert (timeline.longest_gap, timeline.longest_gap_reason) == (1.5, "gc")


def test_batch_sizes_are_those_of_the_passes_that_a_request_took_part_in():
    turns: list[tuple[float, int]] = []

    async def run():
        engine = Engine(
            lambda: model(Scripted()),
            Limits(4, 4),
            Undisturbed(),
            lambda: None,
            lambda seconds, batch_size: turns.append((seconds, batch_size)),
        )
        engine.start()
        await until(lambda: engine.snapshot().phase is Phase.SERVING)
        both = [submit(engine, b"x", 10), submit(engine, b"x", 30)]
        for one in both:
            await last_event(engine, one)
        assert engine.stop(5)
        return both[1].timeline

    timeline = asyncio.run(run())
    assert len(timeline.batch_sizes) == 30
    assert set(timeline.batch_sizes) == {1, 2}
    assert {size for _, size in turns} == {1, 2}
    assert all(0.001 <= seconds < 1 for seconds, _ in turns)


def test_turns_that_only_read_are_told_and_do_not_rest():
    turns: list[tuple[float, int]] = []

    async def run():
        engine = Engine(
            lambda: model(Scripted()), Limits(4, 40), Undisturbed(), lambda: None, lambda *turn: turns.append(turn)
        )
        engine.start()
        await until(lambda: engine.snapshot().phase is Phase.SERVING)
        many = [submit(engine, b"x", 1) for _ in range(40)]
        ended = [await last_event(engine, one) for one in many]
        assert engine.stop(5)
        return ended

    assert asyncio.run(run()) == [Finished("a", "length")] * 40
    assert sum(size for _, size in turns) == 40
