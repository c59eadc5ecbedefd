"""What a failure inside the engine costs: one request its answer, or the engine its life, and nobody waits for ever."""

import asyncio

import torch

from inference.engine.engine import Engine, EngineUnavailableError, Phase
from inference.engine.generation import Failed, Finished, Prompt, Timeline
from inference.engine.models import LoadedModel
from inference.engine.tokenizers import ByteTokenizer


class Scripted:
    """Stands in for the model: always says `a`; fails on prompts with `!` and, once told to, in every decode."""

    context_length = 64
    vocabulary_size = 258
    broken = False

    def prefill(self, _row: int, tokens: tuple[int, ...]) -> torch.Tensor:
        if ord("!") in tokens:
            raise RuntimeError("a bad prompt")
        return self._says_a(1)[0]

    def decode(self, tokens: list[int], _lengths: list[int]) -> torch.Tensor:
        if self.broken:
            raise RuntimeError("a bad step")
        return self._says_a(len(tokens))

    def move(self, source: int, target: int, length: int) -> None:
        pass

    def _says_a(self, rows: int) -> torch.Tensor:
        logits = torch.zeros(rows, self.vocabulary_size)
        logits[:, ord("a")] = 1
        return logits


async def serving(runner: Scripted) -> Engine:
    engine = Engine(lambda: LoadedModel(runner, ByteTokenizer(), frozenset()), 4, 4, lambda: None, lambda: None)
    engine.start()
    while engine.snapshot().phase is Phase.LOADING:
        await asyncio.sleep(0.01)
    return engine


async def last_event(engine: Engine, text: bytes, max_tokens: int) -> Finished | Failed:
    generation = engine.submit(Prompt(tuple(text), max_tokens, temperature=0), Timeline(0.0))
    while not isinstance(event := await generation.next(), Finished | Failed):
        pass
    return event


def test_a_failing_prompt_fails_alone():
    async def run():
        engine = await serving(Scripted())
        events = await asyncio.gather(*(last_event(engine, text, 20) for text in (b"one", b"bad!", b"two")))
        assert engine.stop(5)
        return events

    good, bad, other = asyncio.run(run())
    assert isinstance(good, Finished)
    assert isinstance(other, Finished)
    assert bad == Failed("internal_error", "the prompt could not be processed")


def test_a_failing_step_ends_the_engine_and_every_answer():
    async def run():
        runner = Scripted()
        engine = await serving(runner)
        runner.broken = True
        events = await asyncio.gather(*(last_event(engine, b"x", 20) for _ in range(6)))
        try:
            engine.submit(Prompt((1,), 1), Timeline(0.0))
        except EngineUnavailableError as error:
            return events, str(error), engine.snapshot()

    events, refused, snapshot = asyncio.run(run())
    assert events == [Failed("engine_dead", "the engine died; see its log")] * 6
    assert refused == "the engine died; see its log"
    assert (snapshot.phase, snapshot.running, snapshot.waiting) == (Phase.DEAD, 0, 0)


def test_a_model_that_cannot_be_loaded_is_told_to_the_process():
    gave_up = []

    def load() -> LoadedModel:
        raise OSError("no such model")

    async def run():
        engine = Engine(load, 4, 4, lambda: None, lambda: gave_up.append(True))
        engine.start()
        while not gave_up:
            await asyncio.sleep(0.01)
        return engine.snapshot()

    snapshot = asyncio.run(run())
    assert (snapshot.phase, snapshot.reason) == (Phase.DEAD, "the model could not be loaded: no such model")
