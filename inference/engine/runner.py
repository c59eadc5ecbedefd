"""Runs the model: a piece of a prompt into a slot, or one more token for every occupied slot."""

import inspect
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from inference.engine.linear import pack
from inference.engine.slots import SlotCache

_PIECE_TOKENS = {"cpu": 64, "cuda": 512}
"""A prompt is read in pieces of so many tokens: small enough to take tens of milliseconds, large enough to be fast."""


class UnsupportedModelError(Exception):
    """The model cannot be served by this engine; the message says why."""


class Runner:
    """A model and its KV cache. Not safe for threads: only the engine's thread calls it."""

    def __init__(self, model: PreTrainedModel, max_batch_size: int, context_length: int) -> None:
        self.context_length = context_length
        self.max_batch_size = max_batch_size
        self.vocabulary_size = int(model.config.vocab_size)
        self.piece_tokens = _PIECE_TOKENS[model.device.type]
        if model.device.type == "cpu":
            pack(model)
        self._model = model
        self._cache = SlotCache(max_batch_size, context_length)
        # transformers 5.24 calls it `cache`, and warns at every step of a model that is given the former name.
        known = inspect.signature(model.forward).parameters
        self._cached = {"cache" if "cache" in known else "past_key_values": self._cache}
        self._columns = torch.arange(context_length, device=model.device)

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer by the model's generation configuration; chat models list several."""
        listed = self._model.generation_config.eos_token_id if self._model.generation_config else None
        return frozenset(listed if isinstance(listed, list) else [listed]) - {None}

    @property
    def device_memory_used_bytes(self) -> int | None:
        """Of the whole device, by whomever; None without a GPU."""
        if self._model.device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info(self._model.device)
        return total - free

    def prefill(self, row: int, tokens: Sequence[int], start: int = 0) -> torch.Tensor:
        """Read a piece of a prompt into slot `row`; the logits that follow it, (vocabulary).

        Args:
            row: The slot.
            tokens: The piece.
            start: Tokens of the prompt that are in the slot already.
        """
        end = start + len(tokens)
        ids = torch.tensor([tokens], device=self._model.device)
        return self._forward(row, ids, self._columns[None, start:end], end)[0]

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], first_row: int = 0) -> torch.Tensor:
        """Append one token to each of some neighbouring slots; the logits that follow, (slot, vocabulary).

        Args:
            tokens: The last token of each sequence, not yet in the cache.
            lengths: How many tokens of each sequence are in the cache.
            first_row: The slot of the first sequence.
        """
        ids = torch.tensor(tokens, device=self._model.device)[:, None]
        positions = torch.tensor(lengths, device=self._model.device)[:, None]
        return self._forward(first_row, ids, positions, max(lengths) + 1)

    @torch.inference_mode()
    def prove_alive(self) -> None:
        """Run a harmless pass beside the cache; raises whatever the model raises where it is beyond help."""
        self._model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=self._model.device), use_cache=False)

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        """Move the sequence of `length` tokens in slot `source` to slot `target`."""
        self._cache.copy_row(source, target, length)

    @torch.inference_mode()
    def _forward(self, first_row: int, ids: torch.Tensor, positions: torch.Tensor, longest: int) -> torch.Tensor:
        self._cache.aim(first_row, positions, longest)
        # (row, 1, token, position): a token sees what is before it in its own slot, and nothing that lies behind,
        # which is what an earlier and longer sequence left there. Added to the scores: every layer would have to turn
        # a mask of booleans into this one.
        hidden = self._columns[None, None, None, :longest] > positions[:, None, :, None]
        mask = torch.zeros(hidden.shape, dtype=self._model.dtype, device=hidden.device)
        mask.masked_fill_(hidden, float("-inf"))
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **self._cached,
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
