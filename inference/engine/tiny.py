"""The model that is served when none is named: a few million random weights, so its text is noise.

It is real in every other way: a Llama decoder with rotary positions and a KV cache, run by the same code as
any other model. Its output weights favour small letters and spaces, so that the noise can be read aloud and
rarely ends by itself.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from inference.engine.tokenizers import BOS, EOS, VOCABULARY_SIZE

NAME = "inferwatch-tiny"
NOTE = "random weights from a fixed seed: the text is noise"
CONTEXT_LENGTH = 1024
_SEED = 20240229
_RECIPE: dict[str, Any] = {
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    # As many as attention heads: SDPA with a mask would have to copy shared heads at every step.
    "num_key_value_heads": 4,
    "max_position_embeddings": CONTEXT_LENGTH,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "tie_word_embeddings": False,
    # Ten times the usual: greedy answers then wander instead of repeating a few letters, and the best token leads by
    # far more than the rounding that differs between batch sizes.
    "initializer_range": 0.2,
}


def directory(cache: Path) -> Path:
    """Where the model lies under `cache`, in transformers' format; builds it there at the first call.

    Raises:
        OSError: The cache cannot be written.
    """
    key = hashlib.sha256(json.dumps([_RECIPE, _SEED, torch.__version__]).encode()).hexdigest()[:12]
    target = cache / f"{NAME}-{key}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        _publish(_build(), target)
    return target


def _build() -> LlamaForCausalLM:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = LlamaForCausalLM(LlamaConfig(**_RECIPE))
        readable = torch.zeros(VOCABULARY_SIZE, 1)
        readable[list(b"abcdefghijklmnopqrstuvwxyz ")] = 1
        torch.nn.init.normal_(model.lm_head.weight, std=0.5)
        model.lm_head.weight.data.mul_(readable)
    return model


def _publish(model: LlamaForCausalLM, target: Path) -> None:
    """Save under another name and rename, so that a second process never reads half a model."""
    staging = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    model.save_pretrained(staging)
    try:
        staging.rename(target)
    except OSError:
        shutil.rmtree(staging)
        if not target.is_dir():
            raise
