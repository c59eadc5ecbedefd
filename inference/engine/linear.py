"""Faster linear layers on a CPU: weights in oneDNN's blocked layout, which MKL's small products cannot match.

A decode step multiplies a few rows by every weight. MKL takes 307 us for 8 rows of 512 x 1376 on one AVX-512 thread,
oneDNN with packed weights 97 us; only a single row of a small matrix is faster plain, as the call costs 12 us more.
Layers that read the same input are one product for that reason.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional
from torch import nn

_PLAIN_WEIGHTS = 1 << 18
"""Matrices of so many weights at most keep their plain form too, for passes of one row."""
_EXPECTED_ROWS = 8
"""What the layout is made for; other numbers of rows work as well."""
_TOGETHER = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that transformers' models call one after the other on the same tensor."""


class _Product:
    """One product for several layers: the first that is called computes it, the others take their part."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        weight = torch.cat([layer.weight.detach() for layer in layers])
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, _EXPECTED_ROWS)
        biases: list[torch.Tensor] = [layer.bias for layer in layers if layer.bias is not None]
        self._bias = torch.cat(biases) if biases else None
        self._widths = [layer.out_features for layer in layers]
        self._rows: torch.Tensor | None = None
        self._parts: list[torch.Tensor] = []

    def part(self, number: int, rows: torch.Tensor) -> torch.Tensor:
        """What the layer makes of the rows."""
        # The very tensor, kept alive until the last part is taken: another one cannot be mistaken for it.
        if rows is not self._rows:
            # Flat: oneDNN is half as fast on (row, 1, in), which is what a decode step brings.
            flat = rows.reshape(-1, rows.shape[-1])
            product = torch.ops.mkldnn._linear_pointwise(flat, self._packed, self._bias, "none", [], "")
            self._rows, self._parts = rows, list(product.view(*rows.shape[:-1], -1).split(self._widths, dim=-1))
        part = self._parts[number]
        if number == len(self._parts) - 1:
            self._rows, self._parts = None, []
        return part


class PackedLinear(nn.Module):
    """Computes what `linear` does; float32 on a CPU."""

    def __init__(self, linear: nn.Linear, product: _Product, number: int) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self._plain = weight if weight.numel() <= _PLAIN_WEIGHTS else None
        self._bias = linear.bias
        self._product = product
        self._number = number

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The product, (..., out)."""
        if self._plain is not None and rows.numel() == rows.shape[-1]:
            return torch.nn.functional.linear(rows, self._plain, self._bias)
        return self._product.part(self._number, rows)


def pack(module: nn.Module) -> None:
    """Replace every linear layer under `module`, in place; nothing where torch came without oneDNN."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for child in module.children():
        pack(child)
    layers = {
        name: child
        for name, child in module.named_children()
        if type(child) is nn.Linear and child.weight.dtype == torch.float32
    }
    for names in _products(layers):
        product = _Product([layers[name] for name in names])
        for number, name in enumerate(names):
            setattr(module, name, PackedLinear(layers[name], product, number))


def _products(layers: dict[str, nn.Linear]) -> Iterable[tuple[str, ...]]:
    """The names of the layers, those together that make one product."""
    left = set(layers)
    for names in _TOGETHER:
        if left.issuperset(names) and len({layers[name].bias is None for name in names}) == 1:
            left.difference_update(names)
            yield names
    yield from ((name,) for name in left)
