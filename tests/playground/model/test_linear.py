"""A row's product is the row's alone: the same to the bit whatever rows lie beside it."""

from __future__ import annotations

import pytest
import torch

from playground.model.linear import PackedLinear

# (in, out) of the shipped model's products and of others, which take other kernels of oneDNN.
SHAPES = [
    (256, 768), (256, 256), (256, 2048), (1024, 256), (256, 10_240),
    (2048, 512), (512, 2048), (768, 3072), (3072, 768), (682, 96), (33, 50),
]  # fmt: skip
ROWS = 131


@pytest.fixture(params=[1, 2, 3], ids="threads={}".format)
def threads(request: pytest.FixtureRequest):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("num_in", "num_out"), SHAPES)
def test_a_row_is_the_same_alone_and_among_any_number(
    threads: int, num_in: int, num_out: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(num_in)
    weight, bias = torch.randn(num_out, num_in), torch.randn(num_out)
    linear = PackedLinear(weight, bias, dtype)
    if not linear.is_packed:
        pytest.skip(f"this processor has no product of {dtype}")
    x = torch.randn(ROWS, num_in)
    alone = torch.cat([linear(row[None]) for row in x])
    for rows in (*range(2, 20), 31, 32, 33, 64, 65, 97, 128, 129, ROWS):
        assert torch.equal(linear(x[:rows]), alone[:rows]), rows
    expected = torch.nn.functional.linear(x.to(dtype).float(), weight.to(dtype).float(), bias)
    torch.testing.assert_close(
        alone.float(), expected, rtol=0.02, atol=0.5 if dtype == torch.bfloat16 else 1e-3
    )
