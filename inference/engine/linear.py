"""Faster linear layers on a CPU: weights in oneDNN's blocked layout, which MKL's small products cannot match.

A decode step multiplies a few rows by every weight. MKL takes 307 us for 8 rows of 512 x 1376 on one AVX-512 thread,
oneDNN with packed weights 97 us; only a single row of a small matrix is faster plain, as the call costs 12 us more.
"""

import torch
import torch.nn.functional
from torch import nn

_PLAIN_WEIGHTS = 1 << 18
"""Matrices of so many weights at most keep their plain form too, for passes of one row."""
_EXPECTED_ROWS = 8
"""What the layout is made for; other numbers of rows work as well."""


class PackedLinear(nn.Module):
    """Computes what `linear` does; float32 on a CPU."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._bias = linear.bias
        weight = linear.weight.detach()
        self._plain = weight if weight.numel() <= _PLAIN_WEIGHTS else None
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _EXPECTED_ROWS)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The product, (..., out)."""
        if self._plain is not None and rows.numel() == rows.shape[-1]:
            return torch.nn.functional.linear(rows, self._plain, self._bias)
        # Flat: oneDNN is half as fast on (row, 1, in), which is what a decode step brings.
        flat = rows.reshape(-1, rows.shape[-1])
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(flat, self._packed, self._bias, "none", [], "")
        return product.view(*rows.shape[:-1], -1)


def pack(module: nn.Module) -> None:
    """Replace every linear layer under `module`, in place; nothing where torch came without oneDNN."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear and child.weight.dtype == torch.float32:
            setattr(module, name, PackedLinear(child))
        else:
            pack(child)
