"""Finds and loads the model that is served, with its tokenizer."""

from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.engine import tiny
from inference.engine.fingerprint import fingerprint
from inference.engine.runner import Runner, UnsupportedModelError
from inference.engine.tokenizers import EOS, ByteTokenizer, PretrainedTokenizer, Tokenizer

_LONGEST_DEFAULT_CONTEXT = 2048
"""Where nobody sets a context length: many models allow so much that their KV cache would not fit."""

_TINY_THREADS = 1
"""Measured on 2 cores beside other work: a second thread makes so small a model slower (figures in the README)."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What to load and how."""

    name: str | None
    """A directory in Hugging Face's format or a hub id; None for the built-in tiny model."""
    cache: Path
    """Where the built-in model is kept once built."""
    max_batch_size: int
    max_context: int | None
    """Tokens; None for the model's own, at most 2048."""
    threads: int | None = None
    """CPU threads for torch; None for torch's own choice, and 1 for the built-in model."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to run."""

    runner: Runner
    tokenizer: Tokenizer
    ends: frozenset[int]
    """Tokens that end an answer."""
    fingerprint: str
    """What it is: changes with weights, configuration and versions."""
    note: str = ""
    """What users should know about its text; empty for nothing."""


def load(source: ModelSource) -> LoadedModel:
    """Load what `source` names. Takes seconds to minutes; a hub id is downloaded, a directory never asks the hub.

    Raises:
        UnsupportedModelError: It is not a dense decoder-only model, or not one that this engine runs correctly.
        OSError: The model cannot be read.
        ValueError: Its files are not a model or a tokenizer of a kind that transformers knows.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    threads = source.threads or (_TINY_THREADS if source.name is None else None)
    if threads:
        torch.set_num_threads(threads)
    if source.name is None:
        runner, mark = _runner(str(tiny.directory(source.cache)), source)
        return LoadedModel(runner, ByteTokenizer(), frozenset({EOS}), mark, tiny.NOTE)
    runner, mark = _runner(source.name, source)
    tokenizer = AutoTokenizer.from_pretrained(source.name, local_files_only=Path(source.name).is_dir())
    return LoadedModel(runner, PretrainedTokenizer(tokenizer), runner.ends | {tokenizer.eos_token_id} - {None}, mark)


def _runner(name: str, source: ModelSource) -> tuple[Runner, str]:
    """A runner that has proved itself, and the fingerprint of its model."""
    model = AutoModelForCausalLM.from_pretrained(
        name,
        local_files_only=Path(name).is_dir(),
        attn_implementation="sdpa",
        dtype=torch.bfloat16 if torch.cuda.is_available() else torch.float32,
    )
    # Before anything packs or moves the weights: on a GPU that errs, the model is still the same one.
    mark = fingerprint(model)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()  # type: ignore[arg-type]  # decorated
    _refuse_unsupported(model.config)
    runner = Runner(model, source.max_batch_size, _context_length(model.config, source.max_context))
    runner.check()
    return runner, mark


def _refuse_unsupported(config: transformers.PreTrainedConfig) -> None:
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if config.is_encoder_decoder or kinds != {"full_attention"}:
        raise UnsupportedModelError(
            f"{config.model_type}: only decoder-only models with full attention in every layer can be served"
        )


def _context_length(config: transformers.PreTrainedConfig, wanted: int | None) -> int:
    possible = int(getattr(config, "max_position_embeddings", _LONGEST_DEFAULT_CONTEXT))
    if wanted is None:
        return min(possible, _LONGEST_DEFAULT_CONTEXT)
    if wanted > possible:
        raise UnsupportedModelError(f"MAX_CONTEXT is {wanted}, but the model ends at {possible} tokens")
    return wanted
