"""One matrix product in the fastest form of the device.

On a processor it runs through oneDNN on a weight packed once: for one story's step 4 times as fast
as `F.linear` in fp32. oneDNN sums a row in the same order for any number of rows from two on, which
is why a lone row is given company where a story must be the same alone and among others.
"""

from __future__ import annotations

import torch
from torch.nn import functional


class Product:
    """x @ weight.T + bias for (rows, in) fp32 inputs."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        self.dtype = dtype
        weight = weight.to(dtype).contiguous()
        self.bias = None if bias is None else bias.to(dtype)
        self.is_packed = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
        self.weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight, 1) if self.is_packed else weight
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, out) in the product's type."""
        if self.dtype != torch.float32:
            x = x.to(self.dtype)
        if self.is_packed:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return functional.linear(x, self.weight, self.bias)
