"""Continuous batching: 8 streams against 1, on this engine and on transformers' own, in one run.

    python tests/bench/inference_batching.py [--rounds 7] [--threads 2]

Engines take turns within a round, so that a busy machine hurts all of them; the ratio of a round is the figure.
"""

import argparse
import asyncio
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import torch
from measuring import NEW_TOKENS, PROMPT_TOKENS, Series, bench_model, table, verdict
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig
from transformers.generation.continuous_batching import ContinuousBatchingManager

from inference.engine import tiny
from inference.engine.disturbances import Undisturbed
from inference.engine.engine import Engine, EngineUnavailableError, Limits
from inference.engine.generation import Failed, Finished, Prompt, Timeline
from inference.engine.models import ModelSource, load

STREAMS = (1, 8)
BUDGETS = {"tiny": 4.0, "bench": 3.5}


def prompts(count: int) -> list[list[int]]:
    return [[(31 * stream + 7 * index) % 200 for index in range(PROMPT_TOKENS)] for stream in range(count)]


async def ours(engine: Engine, count: int) -> float:
    """Tokens a second."""

    async def one(tokens: list[int]) -> None:
        generation = engine.submit(Prompt(tuple(tokens), NEW_TOKENS, temperature=0), Timeline(time.monotonic()))
        while not isinstance(event := await generation.next(), Finished | Failed):
            pass
        assert isinstance(event, Finished)
        engine.cancel(generation)

    began = time.perf_counter()
    await asyncio.gather(*map(one, prompts(count)))
    return count * NEW_TOKENS / (time.perf_counter() - began)


def theirs(manager: ContinuousBatchingManager, count: int) -> float:
    """Tokens a second."""
    began = time.perf_counter()
    for tokens in prompts(count):
        manager.add_request(tokens, max_new_tokens=NEW_TOKENS)
    done = 0
    while done < count:
        result = manager.get_result(timeout=0.01)
        done += result is not None and result.is_finished()
    return count * NEW_TOKENS / (time.perf_counter() - began)


async def measure(directory: Path, source: ModelSource, rounds: int) -> dict[tuple[str, int], Series]:
    model = load(source)
    # No answer ends before its time, on either side.
    model = dataclasses.replace(model, ends=frozenset())
    engine = Engine(lambda: model, Limits(source.max_batch_size, 100), Undisturbed(), lambda: None)
    engine.start()
    while True:
        try:
            _ = engine.model
            break
        except EngineUnavailableError:
            await asyncio.sleep(0.01)
    other = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True, dtype=torch.float32).eval()
    generation = GenerationConfig(do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=-1, pad_token_id=0)
    cache = ContinuousBatchingConfig(page_size=64, num_blocks=64, max_batch_tokens=512)
    found: dict[tuple[str, int], list[float]] = {}
    with other.continuous_batching_context_manager(generation, continuous_batching_config=cache) as manager:
        for number in range(rounds + 1):
            for count in STREAMS:
                figures = {
                    "ours": await ours(engine, count),
                    "transformers": await asyncio.to_thread(theirs, manager, count),
                }
                for name, value in figures.items():
                    if number:  # The first round warms up.
                        found.setdefault((name, count), []).append(value)
    engine.stop(5)
    return {key: Series(tuple(values)) for key, values in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch (default %(default)s)")
    parser.add_argument("--model", choices=BUDGETS, help="only this one (default: both)")
    given = parser.parse_args()
    rows = [("model", "figure", "median (least..most)", "budget", "")]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        places = {"tiny": (tiny.directory(cache), None, None), "bench": (bench_model(cache), cache / "bench", 2)}
        for name, (directory, model, threads) in places.items():
            if given.model not in {None, name}:
                continue
            torch.set_num_threads(given.threads)
            source = ModelSource(model and str(model), cache, 16, None, threads and given.threads)
            found = asyncio.run(measure(directory, source, given.rounds))
            ratio = found["ours", 8].over(found["ours", 1])
            against = found["ours", 8].over(found["transformers", 8])
            theirs_ratio = found["transformers", 8].over(found["transformers", 1])
            for (engine, count), series in sorted(found.items()):
                rows.append((name, f"{engine}, {count} streams, tokens/s", series.shown(0), "", ""))
            held = verdict(ratio.median >= BUDGETS[name])
            rows.append((name, "ours, 8 streams over 1", ratio.shown(), f">= {BUDGETS[name]}", held))
            rows.append((name, "transformers, 8 streams over 1", theirs_ratio.shown(), "", ""))
            rows.append(
                (name, "ours over transformers, 8 streams", against.shown(), ">= 1", verdict(against.median >= 1))
            )
    sys.stdout.write(table(rows) + "\n")
    return 1 if any(row[-1] == "MISSED" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
