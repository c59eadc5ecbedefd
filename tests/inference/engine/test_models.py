"""Models in Hugging Face's format: loaded from a directory, offline, and decoded as transformers itself would."""

import asyncio
import inspect
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from inference.engine.disturbances import Undisturbed
from inference.engine.engine import Engine, EngineUnavailableError, Limits
from inference.engine.generation import Failed, Finished, Prompt, Timeline
from inference.engine.models import ModelSource, load
from inference.engine.runner import Runner, UnsupportedModelError


def source(directory: Path | None, cache: Path | None = None, **different) -> ModelSource:
    name = None if directory is None else str(directory)
    settings = {"max_batch_size": 3, "max_context": None} | different
    return ModelSource(name, cache or Path("unused"), **settings)


async def generate(model, prompts: list[Prompt]) -> list[tuple[list[int], object]]:
    """Run prompts together through an engine; their tokens and last events."""
    engine = Engine(lambda: model, Limits(3, 10), Undisturbed(), lambda: None)
    engine.start()
    while engine.snapshot().phase == "loading":
        await asyncio.sleep(0.01)

    async def one(prompt: Prompt):
        generation = engine.submit(prompt, Timeline(0.0))
        while not isinstance(event := await generation.next(), Finished | Failed):
            pass
        return generation.tokens, event

    answers = await asyncio.gather(*map(one, prompts))
    assert engine.snapshot().running == engine.snapshot().waiting == 0
    assert engine.stop(5)
    with pytest.raises(EngineUnavailableError, match="shutting down"):
        engine.submit(prompts[0], Timeline(0.0))
    return answers


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_batched_answers_equal_those_of_transformers_own_loop(model_directory, name):
    directory = model_directory(name)
    model = load(source(directory))
    texts = ["the rain", "in spain stays mainly", "plain " * 9, "a", "the plain"]
    # Of different lengths, so that some leave from the middle of the batch and others move into their slots.
    lengths = (8, 30, 40, 17, 25)
    prompts = [
        Prompt(tuple(model.tokenizer.encode(text)), length, temperature=0)
        for text, length in zip(texts, lengths, strict=True)
    ]
    answers = asyncio.run(generate(model, prompts))
    plain = AutoModelForCausalLM.from_pretrained(directory, local_files_only=True).eval()
    for prompt, (tokens, event) in zip(prompts, answers, strict=True):
        assert isinstance(event, Finished)
        with torch.inference_mode():
            ids = torch.tensor([prompt.tokens])
            whole = plain.generate(ids, max_new_tokens=prompt.max_tokens, do_sample=False, pad_token_id=0)
        assert tokens == whole[0, len(prompt.tokens) :].tolist()


class FormerLlama(LlamaForCausalLM):
    """As models of transformers were before 5.24, and as those that came from elsewhere still are."""

    def forward(self, past_key_values=None, **rest):
        name = "cache" if "cache" in inspect.signature(super().forward).parameters else "past_key_values"
        return super().forward(**{name: past_key_values}, **rest)


def test_a_model_is_given_its_cache_by_the_name_that_it_knows(model_directory):
    model = FormerLlama.from_pretrained(model_directory("llama"), local_files_only=True).eval()
    Runner(model, max_batch_size=2, context_length=64).check()


def test_a_chat_goes_through_the_models_own_template(model_directory):
    model = load(source(model_directory("llama")))
    ids = model.tokenizer.encode_chat([{"role": "user", "content": "the rain"}])
    decoder = model.tokenizer.decoder()
    assert "".join(map(decoder.push, ids)) == "<|user|>the rain<|assistant|>"


def test_sliding_windows_are_refused(model_directory):
    directory = model_directory("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1)
    with pytest.raises(UnsupportedModelError, match="full attention in every layer"):
        load(source(directory))


def test_a_context_beyond_the_models_is_refused(model_directory):
    with pytest.raises(UnsupportedModelError, match="MAX_CONTEXT is 300, but the model ends at 256 tokens"):
        load(source(model_directory("llama"), max_context=300))


def test_a_fingerprint_follows_weights_and_configuration_and_not_the_place(model_directory, tmp_path):
    directory = model_directory("llama")

    def changed(name: str, change) -> str:
        change(shutil.copytree(directory, tmp_path / name))
        return load(source(tmp_path / name)).fingerprint

    def flip_one_bit(copy: Path) -> None:
        weights = bytearray((copy / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (copy / "model.safetensors").write_bytes(weights)

    def turn_faster(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        config["rope_parameters"]["rope_theta"] = 5000.0
        (copy / "config.json").write_text(json.dumps(config))

    before = load(source(directory)).fingerprint
    assert before.startswith("fp_")
    assert len(before) == 15
    assert changed("moved", lambda _copy: None) == before
    assert len({before, changed("other weights", flip_one_bit), changed("other shape", turn_faster)}) == 3


def test_the_tiny_model_is_the_same_in_every_cache(tmp_path):
    models = [load(source(None, tmp_path / name)) for name in ("one", "two", "one")]
    prompt = models[0].tokenizer.encode("hello")
    answers = {int(model.runner.prefill(0, prompt).argmax()) for model in models}
    assert len(answers) == 1
    assert len({model.fingerprint for model in models}) == 1
    assert len(list((tmp_path / "one").iterdir())) == 1
