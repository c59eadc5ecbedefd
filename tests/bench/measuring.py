"""What the benchmarks share: the model of design section 9, medians with their spread, a table with verdicts."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PROMPT_TOKENS = 32
NEW_TOKENS = 64


@dataclass(frozen=True)
class Series:
    """One figure, measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def likely(self) -> tuple[float, float]:
        """Where the true median lies with 95 % confidence, by rank, whatever the noise is distributed like.

        With fewer than six values, all that is known is their range, and less surely.
        """
        skipped = max(0, math.floor((len(self.values) - 1.96 * math.sqrt(len(self.values))) / 2))
        ordered = sorted(self.values)
        return ordered[skipped], ordered[-1 - skipped]

    def over(self, other: "Series") -> "Series":
        """Ratios of what was measured in the same round."""
        return Series(tuple(mine / its for mine, its in zip(self.values, other.values, strict=True)))

    def minus(self, other: "Series") -> "Series":
        """Differences of what was measured in the same round."""
        return Series(tuple(mine - its for mine, its in zip(self.values, other.values, strict=True)))

    def shown(self, digits: int = 2) -> str:
        return f"{self.median:.{digits}f} ({min(self.values):.{digits}f}..{max(self.values):.{digits}f})"

    def known(self, digits: int = 2) -> str:
        """The median, and how well it is known."""
        low, high = self.likely
        return f"{self.median:.{digits}f} ({low:.{digits}f}..{high:.{digits}f})"


def verdict(holds: bool) -> str:
    return "ok" if holds else "MISSED"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def bench_model(directory: Path) -> Path:
    """A Llama of 25 million random weights (hidden 512, 8 layers) with a tokenizer of one token a byte."""
    target = directory / "bench"
    config = LlamaConfig(
        vocab_size=257,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        bos_token_id=256,
        eos_token_id=None,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(target)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fast = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=fast, bos_token="<s>").save_pretrained(target)
    assert json.loads((target / "config.json").read_text())["hidden_size"] == 512
    return target
