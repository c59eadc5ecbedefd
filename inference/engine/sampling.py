"""Choosing the next token of each sequence from its logits."""

import logging
import math
from collections.abc import Sequence

import torch

_log = logging.getLogger(__name__)

_GREEDY_BELOW = 1e-5
"""Temperatures under this are greedy: dividing by them overflows."""


class Sampler:
    """How one request chooses. Has its own random stream, so its seed holds whatever else is in the batch."""

    def __init__(self, temperature: float, top_p: float, seed: int | None) -> None:
        self.greedy = temperature < _GREEDY_BELOW
        self._temperature = temperature
        self._top_p = top_p
        if not self.greedy:
            self._random = torch.Generator()
            self._random.manual_seed(seed) if seed is not None else self._random.seed()

    def draw(self, logits: torch.Tensor) -> int:
        """A token from logits (vocabulary) by temperature, out of the smallest set that holds top_p of the mass."""
        ordered, tokens = torch.softmax(logits.cpu() / self._temperature, dim=-1).sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        kept = torch.where(before < self._top_p, ordered, 0.0)
        # Also where top_p is so small that it rounds to 0.
        kept[0] = ordered[0]
        return int(tokens[torch.multinomial(kept, 1, generator=self._random)])


def choose(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[int | None]:
    """One token for each row of logits (row, vocabulary); None where none can be chosen, which harms no other row."""
    # The greatest logit shows both, as NaN counts as greater than everything.
    best = logits.max(dim=-1)
    chosen: list[int | None] = [
        token if math.isfinite(value) else None
        for token, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    for row, sampler in enumerate(samplers):
        if not sampler.greedy and chosen[row] is not None:
            chosen[row] = _drawn(sampler, logits[row])
    return chosen


def _drawn(sampler: Sampler, logits: torch.Tensor) -> int | None:
    try:
        return sampler.draw(logits)
    except Exception:  # noqa: BLE001 - one request's wishes: finite logits over its temperature may still be infinite
        _log.exception("a token could not be drawn")
        return None
