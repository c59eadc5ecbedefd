"""Runs the model: one prompt into a slot, or one more token for every occupied slot."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from inference.engine.slots import SlotCache


class UnsupportedModelError(Exception):
    """The model cannot be served by this engine; the message says why."""


class Runner:
    """A model and its KV cache. Not safe for threads: only the engine's thread calls it."""

    def __init__(self, model: PreTrainedModel, max_batch_size: int, context_length: int) -> None:
        self.context_length = context_length
        self.max_batch_size = max_batch_size
        self.vocabulary_size = int(model.config.vocab_size)
        self._model = model
        self._cache = SlotCache(max_batch_size, context_length)
        self._columns = torch.arange(context_length, device=model.device)

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer by the model's generation configuration; chat models list several."""
        listed = self._model.generation_config.eos_token_id if self._model.generation_config else None
        return frozenset(listed if isinstance(listed, list) else [listed]) - {None}

    def prefill(self, row: int, tokens: Sequence[int]) -> torch.Tensor:
        """Read a whole prompt into slot `row`; the logits that follow it, (vocabulary)."""
        positions = self._columns[None, : len(tokens)]
        ids = torch.tensor([tokens], device=self._model.device)
        return self._forward(row, ids, positions, len(tokens))[0]

    def decode(self, tokens: Sequence[int], lengths: Sequence[int]) -> torch.Tensor:
        """Append one token to each of the first slots; the logits that follow, (slot, vocabulary).

        Args:
            tokens: The last token of each sequence, not yet in the cache.
            lengths: How many tokens of each sequence are in the cache.
        """
        ids = torch.tensor(tokens, device=self._model.device)[:, None]
        positions = torch.tensor(lengths, device=self._model.device)[:, None]
        return self._forward(0, ids, positions, max(lengths) + 1)

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        """Move the sequence of `length` tokens in slot `source` to slot `target`."""
        self._cache.copy_row(source, target, length)

    @torch.inference_mode()
    def _forward(self, first_row: int, ids: torch.Tensor, positions: torch.Tensor, longest: int) -> torch.Tensor:
        self._cache.aim(first_row, positions, longest)
        # (row, 1, token, position): a token sees what is before it in its own slot, and nothing that lies behind,
        # which is what an earlier and longer sequence left there.
        mask = self._columns[None, None, None, :longest] <= positions[:, None, :, None]
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits
        return logits[:, -1].float()

    @torch.inference_mode()
    def check(self) -> None:
        """Compare cached, batched decoding with one plain pass; also warms the model up.

        Raises:
            UnsupportedModelError: The two differ, so this architecture needs more than a mask and positions.
        """
        tokens = [(7 * index) % self.vocabulary_size for index in range(6)]
        plain = self._model(input_ids=torch.tensor([tokens], device=self._model.device), use_cache=False).logits[0]
        self.prefill(0, tokens[:5])
        rows = min(2, self.max_batch_size)
        if rows == 2:
            self.prefill(1, tokens[:3])
        cached = self.decode([tokens[5], tokens[3]][:rows], [5, 3][:rows])
        expected = plain[[5, 3][:rows]].float()
        tolerance = 1e-3 if self._model.dtype == torch.float32 else 0.1
        if not torch.allclose(cached, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max())):
            raise UnsupportedModelError(
                f"{self._model.config.model_type}: batched decoding differs from a plain pass; "
                "only dense decoder-only models with full attention can be served"
            )
