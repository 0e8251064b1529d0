"""One matrix product in the fastest form of the device in which a row's result depends on nothing
but the row, so that a story is the same to the bit alone and among others.

On a processor it runs through oneDNN on a weight that is put into blocks once: for one story's step
2 to 3 times as fast as `F.linear` in fp32. oneDNN chooses its kernel by the number of rows, and two
kernels may sum in two orders: which numbers of rows share one differs with the version of torch,
the processor and the shape (2.11 has one for a single row, one up to 15 and one from 16 on). So
each shape is tried once, and the product then keeps to numbers of rows that agree.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch
from torch.nn import functional

ROWS = 32  # what oneDNN lays a weight out for; for a single row it would leave it as it is
FEWEST, MOST = (1, 2, 16, 32, 64), (128, 64)  # rows of one call, the quickest first
TRIED = (1, 2, 3, 15, 16, 17, 32, 33, 64, 65, 128)
COLUMNS = 256  # of the trial's weight, over and over: more show no more, and take longer to draw


class PackedLinear:
    """x @ weight.T + bias for (rows, in) fp32 inputs."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        self.dtype = dtype
        weight = weight.to(dtype).contiguous()
        self.bias = None if bias is None else bias.to(dtype)
        self.is_packed = (
            weight.device.type == "cpu"
            and torch.backends.mkldnn.is_available()
            and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
        )
        self.weight = weight
        if self.is_packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
            self._fewest, self._most = agreeing_rows(
                *weight.shape, dtype, bias is not None, torch.get_num_threads()
            )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, out) in the product's type."""
        if self.dtype != torch.float32:
            x = x.to(self.dtype)
        if not self.is_packed:
            return functional.linear(x, self.weight, self.bias)
        missing = self._fewest - len(x)
        if missing > 0:
            return packed_product(
                functional.pad(x, (0, 0, 0, missing)), self.weight, self.bias
            )[: len(x)]  # fmt: skip
        if len(x) > self._most:
            return torch.cat([self(part) for part in x.split(self._most)])
        return packed_product(x, self.weight, self.bias)


def packed_product(
    x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """oneDNN's product with a weight in its blocks."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return found


@cache
def agreeing_rows(
    num_out: int, num_in: int, dtype: torch.dtype, has_bias: bool, num_threads: int
) -> tuple[int, int]:
    """The fewest and the most rows of a call between which a row's result is always the same, on
    this machine. `num_threads` is torch's: the choice of a kernel depends on it."""
    draws = torch.Generator().manual_seed(0)

    def draw(rows: int) -> torch.Tensor:
        return torch.randn(rows, num_in // 2, generator=draws).to(dtype)

    # Sums of terms that cancel out: what is left of them is rounding, of each order another. In no
    # order of their own: halves side by side cancelled to 0 in two orders (oneDNN without bf16).
    order = torch.randperm(num_in, generator=draws)
    half = draw(min(num_out, COLUMNS))
    columns = functional.pad(torch.cat([half, -half], 1), (0, num_in % 2))[:, order]
    weight = columns.repeat(-(-num_out // COLUMNS), 1)[:num_out].contiguous()
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
    bias = torch.zeros(num_out, dtype=dtype) if has_bias else None
    x = functional.pad(draw(max(TRIED)).repeat(1, 2), (0, num_in % 2), value=1)[
        :, order
    ].contiguous()
    found = {rows: packed_product(x[:rows], packed, bias) for rows in TRIED}
    return next(
        (fewest, most)
        for fewest, most in product(FEWEST, MOST)
        if all(
            torch.equal(found[rows], found[most][:rows]) for rows in TRIED if fewest <= rows <= most
        )
    )  # at the latest where both are one number
