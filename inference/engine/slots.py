"""The KV cache: one preallocated row (slot) per running sequence, filled to a different length in each.

Occupied slots are the first ones, without holes, so that a step works on a view and copies nothing. The price
is one copied row when a sequence leaves from the middle.
"""

import torch
from transformers.cache_utils import Cache


class SlotCache(Cache):
    """Keys and values of every layer, (slot, head, position, dimension). `aim` says where the next pass works.

    Args:
        rows: Number of slots.
        length: Tokens that one slot holds.
    """

    def __init__(self, rows: int, length: int) -> None:
        super().__init__(layers=[])
        self._rows = rows
        self._length = length
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._read_rows = slice(0, 0)
        self._read_length = 0
        self._target_rows = self._target_positions = torch.empty(0, dtype=torch.long)

    def aim(self, first_row: int, positions: torch.Tensor, longest: int) -> None:
        """Direct the next pass at rows from `first_row` on.

        Args:
            first_row: The slot of the batch's first row; the others follow.
            positions: (row, token) where each token of the pass is written.
            longest: Length of the longest sequence in the batch after the pass, in tokens.
        """
        end = first_row + positions.shape[0]
        self._read_rows = slice(first_row, end)
        self._read_length = longest
        self._target_rows = torch.arange(first_row, end, device=positions.device)[:, None]
        self._target_positions = positions

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_args: object, **_kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store one layer's new keys and values, (row, head, token, dimension); all that the rows hold then."""
        if layer_idx == len(self._keys):
            self._keys.append(self._allocate(key_states))
            self._values.append(self._allocate(value_states))
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        # Indexing on both sides of the head axis puts that axis behind: (row, token, head, dimension).
        keys[self._target_rows, :, self._target_positions] = key_states.transpose(1, 2)
        values[self._target_rows, :, self._target_positions] = value_states.transpose(1, 2)
        return keys[self._read_rows, :, : self._read_length], values[self._read_rows, :, : self._read_length]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Length of the longest sequence in the batch; models ask, though positions and mask are given to them."""
        return self._read_length

    def copy_row(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a slot over another one."""
        for stored in (*self._keys, *self._values):
            stored[target, :, :length] = stored[source, :, :length]

    def _allocate(self, states: torch.Tensor) -> torch.Tensor:
        # Zeros, not empty: masked positions get weight 0, and 0 times an uninitialised NaN is NaN.
        return states.new_zeros(self._rows, states.shape[1], self._length, states.shape[3])
