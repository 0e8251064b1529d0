"""The formula of a token's operations is what torch counts; the peak is a speed."""

import math
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer.model.build import stock_class, stock_config
from trainer.model.flops import SIDE, flops_per_token, matmul_peak
from trainer.settings.model import Model

BATCH, CONTEXT = 2, 16


@pytest.mark.parametrize(
    ("block", "more"),
    [
        ("gpt2", {}), ("gpt_neo", {}), ("llama", {}), ("qwen3", {}),
        ("llama", {"num_key_value_heads": 1}), ("qwen3", {"head_dim": 24}),
    ],
)  # fmt: skip
def test_the_formula_is_what_torch_counts(block: str, more: dict[str, int]) -> None:
    shape = Model(
        block=block, num_layers=3, hidden=32, num_heads=2, intermediate=48, context=CONTEXT
    )
    config: Any = stock_config(shape, 96)
    config.update(more)
    config._attn_implementation = "eager"
    decoder: Any = stock_class(shape)(config)
    ids = torch.arange(BATCH * CONTEXT).view(BATCH, CONTEXT)
    with FlopCounterMode(display=False) as counter:
        decoder(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    counted = counter.get_total_flops() / (BATCH * CONTEXT)
    # The rotary angles are a matrix product too, of a few operations.
    assert flops_per_token(decoder) == pytest.approx(counted, rel=2e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_peak_is_a_speed(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """On small matrices: a processor without bf16 emulates it, at a hundredth of the speed."""
    monkeypatch.setitem(SIDE, "cpu", 256)
    peak = matmul_peak.__wrapped__(torch.device("cpu"), dtype)
    assert math.isfinite(peak)
    assert peak > 1e6
